import { appendPlatformAudit } from "../audit/append-audit.ts"
import { FleetPromptError } from "../errors.ts"
import { latestVersion } from "../store/migration-kind.ts"
import { type OddTenant, selectOddTenants, selectOrphanSchemas, selectStrayRows } from "../store/tenant-findings.ts"
import { deleteTenantRows, dropSchema, selectTenantTables } from "../store/tenant-removal.ts"
import { SHARED_SCHEMA } from "../store/tenant-scope.ts"
import { changeTenantStatus, holdDeliveries, selectStatusBefore } from "../store/tenants.ts"
import { checkTables, type WallFinding } from "../store/wall-checks.ts"
import type { RequestedBy } from "./act-entry.ts"
import { auditEntry, tellChange } from "./lifecycle.ts"
import type { OperationDeps } from "./operation-step.ts"
import { provisionTenant } from "./provision.ts"

/** What is not as it should be. */
export type TenantProblem =
  /** A schema that no tenant has. */
  | "orphan_schema"
  /** A tenant whose schema is not there. */
  | "missing_schema"
  /** A tenant whose schema lacks migrations. */
  | "behind"
  /** A tenant whose provisioning was cut short. */
  | "half_provisioned"
  /** A tenant that is being moved or deleted, or whose deliveries are held, and nobody works on it. */
  | "stuck"
  /** A tenant that was taken out of use. */
  | "failed"
  /** A table with rows of tenants that lets anybody see them all. */
  | "unwalled_table"
  /** Rows of somebody who is no tenant, or whose rows are elsewhere. */
  | "stray_rows"
  /** A table that could not be looked through in time. */
  | "not_checked"

/** What would mend it. */
export type TenantRepair =
  | { readonly kind: "provision"; readonly tenant: string }
  | { readonly kind: "migrate"; readonly tenant: string }
  | { readonly kind: "reopen"; readonly tenant: string }
  | { readonly kind: "raise_wall"; readonly table: string; readonly sql: string }
  | { readonly kind: "drop_schema"; readonly schemaName: string }
  | { readonly kind: "remove_rows"; readonly schemaName: string; readonly table: string; readonly tenant: string }
  /** Somebody has to look; there is nothing to be done by a program. */
  | { readonly kind: "decide" }

/** Something that is not as it should be, and what is proposed. */
export interface TenantFinding {
  /** The same for the same thing, each time. */
  readonly id: string
  readonly problem: TenantProblem
  /** What it is, for people. */
  readonly message: string
  readonly repair: TenantRepair
  /** What the repair would do, for people. */
  readonly proposal: string
  /** The repair removes something for good: it is done only when asked for by its id and `destroy`. */
  readonly destroys: boolean
}

/** How something is mended. */
export interface RepairOptions extends RequestedBy {
  /** Whether it may remove something for good. Default false. */
  readonly destroy?: boolean
}

/** Half-made tenants are looked at after so long; others are still being made. */
const MAKING_MS = 300_000

/**
 * Compares what the platform knows of its tenants with what is there. Changes nothing.
 *
 * @example
 * for (const { problem, message, proposal } of await fleet.tenants.check()) console.log(problem, message, proposal)
 */
export async function checkTenants(deps: OperationDeps): Promise<readonly TenantFinding[]> {
  const { database, migrations } = deps
  const orphans = await selectOrphanSchemas(database)
  const odd = await selectOddTenants(database, latestVersion(migrations))
  const unwalled = await checkTables(database)
  return [
    ...orphans.map(({ name, tables }) => orphan(name, tables)),
    ...odd.flatMap(oddFindings),
    ...unwalled.map(unwalledTable),
    ...(await strayRows(deps)),
  ]
}

/**
 * Does what one finding proposes, when it still holds.
 *
 * @throws FleetPromptError `not_found` when there is no such finding any more; `tenant_state` when it would destroy
 * something and that was not asked for, or when a program cannot mend it
 */
export async function repairTenant(
  id: string,
  { destroy = false, ...request }: RepairOptions,
  deps: OperationDeps,
): Promise<TenantFinding> {
  const finding = (await checkTenants(deps)).find((each) => each.id === id)
  if (!finding)
    throw new FleetPromptError("not_found", "expected something that fleetprompt tenants check tells, got another id")
  if (finding.destroys && !destroy)
    throw new FleetPromptError(
      "tenant_state",
      `expected to be told that something may be destroyed, since this would: ${finding.proposal}; say destroy when that is meant`,
    )
  await mend(finding.repair, deps)
  await appendPlatformAudit(deps.database, [
    auditEntry("tenant.repair", finding.id, request, { problem: finding.problem, repair: { ...finding.repair } }),
  ])
  return finding
}

async function mend(repair: TenantRepair, deps: OperationDeps): Promise<void> {
  const { database, migrations } = deps
  switch (repair.kind) {
    case "provision":
      await provisionTenant(database, repair.tenant, {}, migrations)
      return tellChange(repair.tenant, deps)
    case "reopen":
      return reopen(repair.tenant, deps)
    case "raise_wall":
      return database.owner.transaction((tx) => tx.script(repair.sql))
    case "drop_schema":
      return database.owner.transaction((tx) => dropSchema(tx, repair.schemaName))
    case "remove_rows":
      return removeRows(repair, deps)
    case "migrate":
    case "decide":
      throw new FleetPromptError(
        "tenant_state",
        "expected something that can be mended here; do what the proposal says yourself",
      )
  }
}

/** Goes back to what it was before; its rows are where its record says, since only the switch changes that. */
async function reopen(tenant: string, deps: OperationDeps): Promise<void> {
  await deps.database.transaction(async (tx) => {
    const before = (await selectStatusBefore(tx, tenant)) ?? "suspended"
    await changeTenantStatus(tx, tenant, { from: ["moving", "deleting"], to: before })
    await holdDeliveries(tx, tenant, false)
  })
  tellChange(tenant, deps)
}

async function removeRows(
  { schemaName, table, tenant }: Extract<TenantRepair, { readonly kind: "remove_rows" }>,
  { database }: OperationDeps,
): Promise<void> {
  for (let isLast = false; !isLast;) {
    const batch = await database.owner.transaction((tx) => deleteTenantRows(tx, schemaName, table, tenant))
    isLast = batch.isLast
  }
}

function orphan(name: string, tables: number): TenantFinding {
  return {
    id: `orphan_schema:${name}`,
    problem: "orphan_schema",
    message: `schema ${name} with ${tables} tables belongs to no tenant`,
    repair: { kind: "drop_schema", schemaName: name },
    proposal: `drop schema ${name} with all that is in it, when you know that nobody needs it`,
    destroys: true,
  }
}

function oddFindings(tenant: OddTenant): readonly TenantFinding[] {
  const { slug, schemaName, status, hasSchema, isIdle, holdsDeliveries, forMs } = tenant
  if (status === "provisioning") return forMs < MAKING_MS ? [] : [halfProvisioned(tenant)]
  if (!hasSchema && isIdle)
    return [
      {
        ...about("missing_schema", slug),
        message: `tenant ${slug} is ${status}, and its schema ${schemaName} is not there`,
        repair: { kind: "decide" },
        proposal: "restore the schema from a backup, or delete the tenant and import an archive",
      },
    ]
  if (isIdle && (status === "moving" || status === "deleting" || holdsDeliveries)) return [stuck(tenant)]
  if (status === "failed")
    return [
      {
        ...about("failed", slug),
        message: `tenant ${slug} was taken out of use`,
        repair: { kind: "decide" },
        proposal: `find out why, then fleetprompt tenants resume ${slug}`,
      },
    ]
  return hasSchema ? [behind(tenant)] : []
}

function about(problem: TenantProblem, slug: string): Pick<TenantFinding, "id" | "problem" | "destroys"> {
  return { id: `${problem}:${slug}`, problem, destroys: false }
}

function halfProvisioned({ slug }: OddTenant): TenantFinding {
  return {
    ...about("half_provisioned", slug),
    message: `tenant ${slug} is recorded, and its schema is not complete`,
    repair: { kind: "provision", tenant: slug },
    proposal: `complete it, as fleetprompt tenants provision ${slug} does`,
  }
}

function stuck({ slug, status, forMs }: OddTenant): TenantFinding {
  const isDeleting = status === "deleting"
  return {
    ...about("stuck", slug),
    message: `tenant ${slug} is ${status} since ${Math.round(forMs / 1_000)} s, its deliveries wait, and no operation is under way`,
    // What is half removed is not to be used again.
    repair: isDeleting ? { kind: "decide" } : { kind: "reopen", tenant: slug },
    proposal: isDeleting
      ? `look at its last operation, then fleetprompt tenants resume or delete ${slug} again`
      : "let it work on where its rows are, as its record says",
  }
}

function behind({ slug, schemaVersion }: OddTenant): TenantFinding {
  return {
    ...about("behind", slug),
    message: `tenant ${slug} has version ${schemaVersion} of the schema`,
    repair: { kind: "migrate", tenant: slug },
    proposal: `run fleetprompt migrate --tenant ${slug}`,
  }
}

function unwalledTable({ value, risk, mend: sql }: WallFinding): TenantFinding {
  return {
    id: `unwalled_table:${value}`,
    problem: "unwalled_table",
    message: `table ${value} has no wall: ${risk}`,
    repair: { kind: "raise_wall", table: value, sql },
    proposal: sql,
    destroys: false,
  }
}

const CONTROL = "fleetprompt"
/** What stays of a tenant that has gone. */
const LEFT_ON_PURPOSE = new Set([
  "tenant_operations",
  "kept_placements",
  "migration_runs",
  "audit_intake",
  "access_changes",
  "binding_changes",
])

async function strayRows({ database }: OperationDeps): Promise<readonly TenantFinding[]> {
  const findings: TenantFinding[] = []
  for (const schemaName of [SHARED_SCHEMA, CONTROL]) {
    const tables = await selectTenantTables(database, schemaName)
    for (const table of tables.filter((each) => !LEFT_ON_PURPOSE.has(each))) {
      try {
        const strays = await database.owner.transaction((tx) => selectStrayRows(tx, schemaName, table))
        findings.push(...strays.map(stray))
      } catch (error) {
        findings.push(notChecked(schemaName, table, error))
      }
    }
  }
  return findings
}

function stray({
  schemaName,
  table,
  tenant,
  rows,
}: {
  readonly schemaName: string
  readonly table: string
  readonly tenant: string
  readonly rows: number
}): TenantFinding {
  return {
    id: `stray_rows:${schemaName}.${table}:${tenant}`,
    problem: "stray_rows",
    message: `${rows} rows of ${schemaName}.${table} belong to "${tenant}", which is no tenant there`,
    repair: { kind: "remove_rows", schemaName, table, tenant },
    proposal: `remove these rows, when you know that nobody needs them`,
    destroys: true,
  }
}

function notChecked(schemaName: string, table: string, error: unknown): TenantFinding {
  return {
    id: `not_checked:${schemaName}.${table}`,
    problem: "not_checked",
    message: `${schemaName}.${table} could not be looked through: ${error instanceof Error ? error.message : String(error)}`,
    repair: { kind: "decide" },
    proposal: "try again when the database is less busy",
    destroys: false,
  }
}
