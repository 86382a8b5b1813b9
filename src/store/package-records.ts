import { freezeJson, type JsonObject, type JsonValue } from "../signal/json.ts"
import type { Queryable } from "./database.ts"
import type { TenantScope } from "./tenant-scope.ts"

/** What a package makes in a tenant. */
export type InstalledRecordKind = "agent" | "workflow" | "skill" | "sensor" | "schedule"

/** Something that an installation made. */
export interface InstalledRecord {
  readonly kind: InstalledRecordKind
  readonly name: string
  /** Of the package, when the record was last written. */
  readonly version: string
  readonly data: JsonValue
  /** Of the data. */
  readonly checksum: string
  /** The tenant's own: no upgrade touches it. */
  readonly state: JsonObject
}

/** Which installation made something, for whom. */
export interface RecordOwner {
  readonly installationId: string
  readonly package: string
}

/** What an installation made, by kind and name. */
export async function selectPackageRecords(
  tx: Queryable,
  scope: TenantScope,
  installationId: string,
): Promise<readonly InstalledRecord[]> {
  const rows = await tx.query<InstalledRecord>(
    `/* selectPackageRecords */ select kind, name, version, data, checksum, state from ${scope.schema}.package_records
     where tenant = $1 and installation_id = $2::text::uuid order by kind, name`,
    [scope.slug, installationId],
  )
  return rows.map((row) => freezeJson(row))
}

/** Writes those of the records that are new or differ; what the tenant keeps with them stays. */
export async function upsertPackageRecords(
  tx: Queryable,
  scope: TenantScope,
  { installationId, package: slug }: RecordOwner,
  records: readonly Omit<InstalledRecord, "state">[],
): Promise<void> {
  await tx.query(
    `/* upsertPackageRecords */ insert into ${scope.schema}.package_records as record
       (tenant, installation_id, package, kind, name, version, data, checksum)
     select $1, $2::text::uuid, $3, kind, name, version, data, checksum
     from jsonb_to_recordset($4::text::jsonb) as given (kind text, name text, version text, data jsonb, checksum text)
     on conflict (${keyOf(scope)}) do update
       set version = excluded.version, data = excluded.data, checksum = excluded.checksum, updated_at = now()
       where record.checksum <> excluded.checksum`,
    [scope.slug, installationId, slug, JSON.stringify(records)],
  )
}

/** Removes what an installation made, but for these. */
export async function deletePackageRecords(
  tx: Queryable,
  scope: TenantScope,
  installationId: string,
  kept: readonly Pick<InstalledRecord, "kind" | "name">[] = [],
): Promise<void> {
  await tx.query(
    `/* deletePackageRecords */ delete from ${scope.schema}.package_records as record
     where tenant = $1 and installation_id = $2::text::uuid and not exists (
       select from jsonb_to_recordset($3::text::jsonb) as kept (kind text, name text)
       where kept.kind = record.kind and kept.name = record.name
     )`,
    [scope.slug, installationId, JSON.stringify(kept.map(({ kind, name }) => ({ kind, name })))],
  )
}

/** Puts records back as a snapshot has them, times included; what the tenant keeps with those that are there stays. */
export async function restorePackageRecords(tx: Queryable, scope: TenantScope, rows: JsonValue): Promise<void> {
  await tx.query(
    `/* restorePackageRecords */ insert into ${scope.schema}.package_records as record
     select given.* from jsonb_populate_recordset(null::${scope.schema}.package_records, $2::text::jsonb) as given
     where given.tenant = $1
     on conflict (${keyOf(scope)}) do update
       set version = excluded.version, data = excluded.data, checksum = excluded.checksum, updated_at = excluded.updated_at
       where (record.version, record.checksum, record.updated_at)
         is distinct from (excluded.version, excluded.checksum, excluded.updated_at)`,
    [scope.slug, JSON.stringify(rows)],
  )
}

function keyOf({ placement }: TenantScope): string {
  return placement === "shared" ? "tenant, installation_id, kind, name" : "installation_id, kind, name"
}
