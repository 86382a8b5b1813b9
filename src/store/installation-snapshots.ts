import { freezeJson, type JsonObject, type JsonValue } from "../signal/json.ts"
import type { Queryable } from "./database.ts"
import type { TenantScope } from "./tenant-scope.ts"

/** The rows of an installation, as JSON has them. */
export interface InstallationRows {
  readonly installation: JsonObject
  readonly records: readonly JsonObject[]
  readonly bindings: readonly JsonObject[]
}

/** What an installation was at a moment. */
export interface InstallationSnapshot {
  readonly directiveId: string
  readonly moment: "before" | "after"
  readonly rows: InstallationRows
  /** Of the rows. */
  readonly checksum: string
  readonly takenAt: Date
}

/** Whose snapshot. */
export interface SnapshotKey {
  readonly installationId: string
  readonly directiveId: string
  readonly moment: InstallationSnapshot["moment"]
}

/** The rows that an installation has now. */
export async function selectInstallationRows(
  tx: Queryable,
  scope: TenantScope,
  installationId: string,
): Promise<InstallationRows | undefined> {
  const [row] = await tx.query<InstallationRows>(
    `/* selectInstallationRows */ select to_jsonb(installation) as installation,
       (select coalesce(jsonb_agg(to_jsonb(record) order by kind, name), '[]') from ${scope.schema}.package_records as record
        where record.tenant = $1 and installation_id = installation.id) as records,
       (select coalesce(jsonb_agg(to_jsonb(binding) order by handler), '[]') from fleetprompt.bindings as binding
        where binding.tenant = $1 and installation_id = installation.id) as bindings
     from ${scope.schema}.installations as installation where installation.tenant = $1 and id = $2::text::uuid`,
    [scope.slug, installationId],
  )
  return row && freezeJson(row)
}

/** Keeps a snapshot; one that is there stays. */
export async function insertSnapshot(
  tx: Queryable,
  scope: TenantScope,
  { installationId, directiveId, moment }: SnapshotKey,
  { rows, checksum }: { readonly rows: InstallationRows; readonly checksum: string },
): Promise<void> {
  await tx.query(
    `/* insertSnapshot */ insert into ${scope.schema}.installation_snapshots
       (tenant, installation_id, directive_id, moment, rows, checksum)
     values ($1, $2::text::uuid, $3::text::uuid, $4, $5::text::jsonb, $6) on conflict do nothing`,
    [scope.slug, installationId, directiveId, moment, JSON.stringify(rows), checksum],
  )
}

/** One snapshot. */
export async function selectSnapshot(
  tx: Queryable,
  scope: TenantScope,
  { installationId, directiveId, moment }: SnapshotKey,
): Promise<InstallationSnapshot | undefined> {
  const [row] = await tx.query<InstallationSnapshot>(
    `/* selectSnapshot */ select directive_id as "directiveId", moment, rows, checksum, taken_at as "takenAt"
     from ${scope.schema}.installation_snapshots
     where tenant = $1 and installation_id = $2::text::uuid and directive_id = $3::text::uuid and moment = $4`,
    [scope.slug, installationId, directiveId, moment],
  )
  return row && freezeJson(row)
}

/** A snapshot without its rows. */
export type SnapshotHead = Omit<InstallationSnapshot, "rows"> & {
  /** Type of the directive. */
  readonly directiveType: string | null
}

/** The snapshots of an installation, newest first. */
export async function selectSnapshots(
  tx: Queryable,
  scope: TenantScope,
  installationId: string,
  limit: number,
): Promise<readonly SnapshotHead[]> {
  return tx.query<SnapshotHead>(
    `/* selectSnapshots */ select directive_id as "directiveId", moment, checksum, taken_at as "takenAt",
       (select type from ${scope.schema}.directives as directive
        where directive.tenant = $1 and directive.id = directive_id) as "directiveType"
     from ${scope.schema}.installation_snapshots
     where tenant = $1 and installation_id = $2::text::uuid order by position desc limit $3`,
    [scope.slug, installationId, limit],
  )
}

/** Removes the snapshots that a directive took. */
export async function deleteSnapshots(tx: Queryable, scope: TenantScope, directiveId: string): Promise<void> {
  await tx.query(
    `/* deleteSnapshots */ delete from ${scope.schema}.installation_snapshots
     where tenant = $1 and directive_id = $2::text::uuid`,
    [scope.slug, directiveId],
  )
}

/** The rows of a snapshot as JSON. */
export function rowsAsJson({ installation, records, bindings }: InstallationRows): JsonValue {
  return { installation, records, bindings }
}
