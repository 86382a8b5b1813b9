import { FleetPromptError } from "../../errors.ts"
import type { JsonObject } from "../../signal/json.ts"
import { type NewBinding, removeBindings, upsertBindings } from "../../store/bindings.ts"
import type { Queryable } from "../../store/database.ts"
import {
  type InstallationRows,
  type InstallationSnapshot,
  insertSnapshot,
  rowsAsJson,
  selectInstallationRows,
  selectSnapshot,
  type SnapshotKey,
} from "../../store/installation-snapshots.ts"
import type { InstallationChange, InstallationStatus } from "../../store/installations.ts"
import { deletePackageRecords, restorePackageRecords } from "../../store/package-records.ts"
import type { TenantScope } from "../../store/tenant-scope.ts"
import { checksumOf } from "../canonical.ts"

/** Keeps what an installation is at this moment. */
export async function takeSnapshot(tx: Queryable, scope: TenantScope, key: SnapshotKey): Promise<void> {
  const rows = await selectInstallationRows(tx, scope, key.installationId)
  if (rows) await insertSnapshot(tx, scope, key, { rows, checksum: checksumOf(rowsAsJson(rows)) })
}

/** What a snapshot holds. @throws FleetPromptError `installation_state` when there is none, or it was changed */
export async function readSnapshot(tx: Queryable, scope: TenantScope, key: SnapshotKey): Promise<InstallationRows> {
  const snapshot: InstallationSnapshot | undefined = await selectSnapshot(tx, scope, key)
  if (snapshot && snapshot.checksum === checksumOf(rowsAsJson(snapshot.rows))) return snapshot.rows
  throw new FleetPromptError(
    "installation_state",
    `expected the snapshot of installation ${key.installationId} as it was ${key.moment} directive ${key.directiveId}, ${snapshot ? "its rows were changed" : "there is none"}; upgrade to the version that you want`,
  )
}

/** Puts the records of an installation back as a snapshot has them. */
export async function restoreRecords(
  tx: Queryable,
  scope: TenantScope,
  installationId: string,
  { records }: InstallationRows,
): Promise<void> {
  // Rows of package_records: kind and name are among their columns.
  const kept = records as readonly (JsonObject & KeyColumns)[]
  await deletePackageRecords(tx, scope, installationId, kept)
  await restorePackageRecords(tx, scope, records)
}

type KeyColumns = { readonly kind: "agent" | "workflow" | "skill" | "sensor" | "schedule"; readonly name: string }

/** Puts the bindings of an installation back as a snapshot has them. */
export async function restoreBindings(
  tx: Queryable,
  { slug }: TenantScope,
  installationId: string,
  rows: InstallationRows,
): Promise<void> {
  const bindings = bindingsOf(rows)
  await removeBindings(
    tx,
    slug,
    installationId,
    bindings.map(({ handler }) => handler),
  )
  await upsertBindings(tx, slug, bindings)
}

/** Rows of fleetprompt.bindings, whose columns have these types. */
type BindingColumns = {
  readonly handler: string
  readonly installation_id: string
  readonly package: string
  readonly version: string
  readonly template: string
  readonly pattern: string
  readonly condition: JsonObject | null
  readonly params: JsonObject
  readonly config: JsonObject
  readonly credentials: Readonly<Record<string, string>>
  readonly is_enabled: boolean
}

/** The bindings that a snapshot has. */
export function bindingsOf({ bindings }: InstallationRows): readonly NewBinding[] {
  return bindings.map(bindingOf)
}

function bindingOf(row: JsonObject): NewBinding {
  // As the table's columns are.
  const { installation_id, is_enabled, handler, template, pattern, condition, params, config, credentials, ...rest } =
    row as JsonObject & BindingColumns
  return {
    handler,
    installationId: installation_id,
    package: rest.package,
    version: rest.version,
    template,
    pattern,
    condition,
    params,
    config,
    credentials,
    isEnabled: is_enabled,
  }
}

/** Rows of installations, whose columns have these types. */
type InstallationColumns = {
  readonly id: string
  readonly version: string | null
  readonly target_version: string | null
  readonly status: InstallationStatus
  readonly config: JsonObject
  readonly config_checksum: string
  readonly credentials: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly error: { readonly kind: string; readonly message: string } | null
  readonly directive_id: string
  readonly upgrade_id: string | null
  readonly updated_at: string
}

/** What `updateInstallation` writes to make an installation what a snapshot has. */
export function installationOf({ installation }: InstallationRows): InstallationChange {
  // As the table's columns are.
  const row = installation as JsonObject & InstallationColumns
  return {
    id: row.id,
    version: row.version,
    targetVersion: row.target_version,
    status: row.status,
    config: row.config,
    configChecksum: row.config_checksum,
    credentials: row.credentials,
    dependencies: row.dependencies,
    error: row.error,
    directiveId: row.directive_id,
    upgradeId: row.upgrade_id,
    changedAt: row.updated_at,
  }
}
