import { selectAuditIntakeLogs, type WaitingLog } from "../store/audit-intake.ts"
import { missingControl } from "../store/migrate.ts"
import type { DoctorLine, SetUpPatient } from "./doctor-line.ts"
import { formatCount, formatDuration } from "./progress-bar.ts"

/** An entry that waits for longer does so for a reason, milliseconds: a fleet that runs looks once a second. */
const LONG_MS = 60_000
const MAX_LOGS = 1_000

/** Looks whether audit entries wait for their places although somebody should have given them some. */
export async function checkAudit({ database, state }: SetUpPatient): Promise<readonly DoctorLine[]> {
  if (!state.isSetUp) return []
  return database.transaction(
    async (tx) => {
      if ((await missingControl(tx)).length > 0) return []
      const late = (await selectAuditIntakeLogs(tx, MAX_LOGS)).filter(({ waitedMs }) => waitedMs > LONG_MS)
      return [late.length > 0 ? waitingLine(late) : { check: "audit", status: "ok", detail: "no entry waits for long" }]
    },
    { role: "engine" },
  )
}

function waitingLine(late: readonly WaitingLog[]): DoctorLine {
  const longest = formatDuration(Math.max(...late.map(({ waitedMs }) => waitedMs)))
  return {
    check: "audit",
    status: "warning",
    detail: `entries of ${formatCount(late.length)} audit logs wait for their places, for up to ${longest}`,
    advice: "start a fleet if none runs, else look: fleetprompt audit verify",
  }
}
