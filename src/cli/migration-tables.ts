import type { MigrationRun } from "../store/migration-runs.ts"
import type { MigrationState } from "../tenants/migrations/migrations-door.ts"
import type { MigrationPlan, MigrationReport, PlannedSchema } from "./migration-reports.ts"
import { formatCount, formatDuration, progressBar } from "./progress-bar.ts"

/** Longest message of a failure in a table. */
const MAX_MESSAGE = 100
/** Schemas that a plan names one by one. */
const MAX_NAMED = 20

/** Rows in columns that are as wide as they need to be. */
export function columns(rows: readonly (readonly (string | number)[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => String(row[at]).length)))
  const line = (row: readonly (string | number)[]): string =>
    row.map((cell, at) => (at === row.length - 1 ? String(cell) : String(cell).padEnd(widths[at] ?? 0))).join("  ")
  return rows.map((row) => `  ${line(row)}`).join("\n")
}

/** Runs that were given up, with why. */
export function failureTable(failures: readonly MigrationRun[]): string {
  const rows = failures.map(({ tenant, fromVersion, toVersion, attempt, error }) => [
    tenant,
    fromVersion,
    toVersion,
    attempt,
    error?.kind ?? "",
    (error?.message ?? "").replaceAll("\n", " ").slice(0, MAX_MESSAGE),
  ])
  const table = columns([["tenant", "from", "to", "attempts", "kind", "message"], ...rows])
  return `failed, in quarantine:\n${table}\n  try again with fleetprompt migrate --retry-failed`
}

/** How schemas stand, as people read it. */
export function stateText({ control, migrations, failures }: MigrationReport): string {
  if (control.length > 0 || !migrations)
    return `the control schema lacks ${control.join(", ")}; run fleetprompt migrate`
  const parts = [tenantsText(migrations), runsText(migrations)]
  return [...parts, ...(failures.length > 0 ? [failureTable(failures)] : [])].join("\n\n")
}

function tenantsText({ latest, versions }: MigrationState): string {
  const total = versions.reduce((sum, { tenants }) => sum + tenants, 0)
  const done = versions.filter(({ version }) => version >= latest).reduce((sum, { tenants }) => sum + tenants, 0)
  const rows = versions.map(({ version, tenants, quarantined }) => [
    version === latest ? `${version} (this release)` : version,
    formatCount(tenants),
    quarantined === 0 ? "" : `${formatCount(quarantined)} in quarantine`,
  ])
  const bar = `tenants at version ${latest}: ${progressBar({ done, total, elapsedMs: 0 })}`
  return rows.length === 0 ? bar : `${bar}\n${columns([["version", "tenants", ""], ...rows])}`
}

function runsText({ runs }: MigrationState): string {
  const { firstTime, p50Ms, p95Ms } = runs
  const times =
    p50Ms === null || p95Ms === null
      ? ""
      : `${formatCount(firstTime)} at the first attempt; p50 ${formatDuration(p50Ms)}, p95 ${formatDuration(p95Ms)}`
  const statuses = ["queued", "running", "completed", "failed", "skipped"] as const
  const rows = statuses.map((status) => [status, formatCount(runs[status]), status === "completed" ? times : ""])
  return columns([["last run of each schema", "", ""], ...rows])
}

/** What would be done, as people read it. */
export function planText({ control, schemas }: MigrationPlan): string {
  if (schemas === null) return `control schema: ${control.join(", ")}\nthe schemas of tenants are known after that`
  if (schemas.length === 0) return "every schema is up to date; nothing would be done"
  const named = schemas.slice(0, MAX_NAMED)
  const rest = schemas.length - named.length
  const table = columns([["tenant", "from", "to", "migrations"], ...named.map(rowOf)])
  return `${formatCount(schemas.length)} schemas would be migrated:\n${table}${rest > 0 ? `\n  and ${formatCount(rest)} more` : ""}`
}

function rowOf({ tenant, from, to, migrations }: PlannedSchema): readonly (string | number)[] {
  return [tenant, from, to, migrations.length === 0 ? "none: waits for --breaking" : migrations.join(", ")]
}
