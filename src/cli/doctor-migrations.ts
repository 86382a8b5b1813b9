import { missingControl } from "../store/migrate.ts"
import { tenantMigrations } from "../store/sql.ts"
import { readMigrations } from "../tenants/migrations/migrations-door.ts"
import type { DoctorLine, SetUpPatient } from "./doctor-line.ts"
import { formatCount } from "./progress-bar.ts"

/** Looks whether the schemas are those of this release, and whether a tenant is in quarantine. */
export async function checkMigrations({ database, state }: SetUpPatient): Promise<readonly DoctorLine[]> {
  if (!state.isSetUp) return []
  return database.transaction(
    async (tx) => {
      const control = await missingControl(tx)
      if (control.length > 0) return [line("warning", `the control schema lacks ${control.join(", ")}`, MIGRATE)]
      const { latest, versions, behind } = await readMigrations(tx, tenantMigrations)
      const held = versions.reduce((sum, { quarantined }) => sum + quarantined, 0)
      if (held > 0) return [line("warning", `${formatCount(held)} tenants are in quarantine`, LOOK)]
      if (behind > 0) return [line("warning", `${formatCount(behind)} schemas are behind version ${latest}`, MIGRATE)]
      return [line("ok", `every schema is at version ${latest}`)]
    },
    { role: "engine" },
  )
}

const MIGRATE = "run: fleetprompt migrate"
const LOOK = "run: fleetprompt migrate --status, mend the cause, then fleetprompt migrate --retry-failed"

function line(status: DoctorLine["status"], detail: string, advice?: string): DoctorLine {
  return { check: "migrations", status, detail, ...(advice !== undefined && { advice }) }
}
