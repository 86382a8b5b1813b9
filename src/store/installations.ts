import { freezeJson, type JsonObject } from "../signal/json.ts"
import type { Queryable } from "./database.ts"
import type { TenantScope } from "./tenant-scope.ts"

/**
 * Where an installation stands. The last two are for good.
 *
 * queued > installing > active; active and paused: enabled and disabled; upgrading and uninstalling lead back to where
 * they came from when they fail.
 */
export type InstallationStatus =
  | "queued"
  | "installing"
  | "active"
  | "paused"
  | "upgrading"
  | "uninstalling"
  | "uninstalled"
  | "failed"

/** A package in a tenant. */
export interface InstallationRecord {
  readonly id: string
  /** Slug of the package. */
  readonly package: string
  /** What is installed; null before the first time. */
  readonly version: string | null
  /** What it is to be, while something is under way. */
  readonly targetVersion: string | null
  readonly status: InstallationStatus
  /** With the package's defaults. */
  readonly config: JsonObject
  readonly configChecksum: string
  /** Ids of credentials, by the names that the package gives them. */
  readonly credentials: Readonly<Record<string, string>>
  /** Ranges of versions by the packages that it needs. */
  readonly dependencies: Readonly<Record<string, string>>
  /** Why it failed. */
  readonly error: { readonly kind: string; readonly message: string } | null
  /** What was done last, or is under way. */
  readonly directiveId: string
  /** The installation that needed it; null: somebody asked for it itself. */
  readonly installedFor: string | null
  /** The directive of the last upgrade, while that may be rolled back. */
  readonly upgradeId: string | null
  readonly insertedAt: Date
  readonly installedAt: Date | null
  readonly endedAt: Date | null
  readonly updatedAt: Date
}

const COLUMNS = `id, package, version, target_version as "targetVersion", status, config, config_checksum as "configChecksum",
  credentials, dependencies, error, directive_id as "directiveId", installed_for as "installedFor",
  upgrade_id as "upgradeId", inserted_at as "insertedAt", installed_at as "installedAt", ended_at as "endedAt",
  updated_at as "updatedAt"`
const IS_LIVE = "status not in ('failed', 'uninstalled')"

/** An installation to be recorded. */
export type NewInstallation = Pick<
  InstallationRecord,
  | "id"
  | "package"
  | "targetVersion"
  | "status"
  | "config"
  | "configChecksum"
  | "credentials"
  | "dependencies"
  | "directiveId"
  | "installedFor"
>

/**
 * Records an installation.
 *
 * @returns undefined when the package has one that lives, or there is one with this id.
 */
export async function insertInstallation(
  tx: Queryable,
  scope: TenantScope,
  installation: NewInstallation,
): Promise<InstallationRecord | undefined> {
  const [row] = await tx.query<InstallationRecord>(
    `/* insertInstallation */ insert into ${scope.schema}.installations
       (tenant, id, package, target_version, status, config, config_checksum, credentials, directive_id, installed_for,
        dependencies)
     values ($1, $2::text::uuid, $3, $4, $5, $6::text::jsonb, $7, $8::text::jsonb, $9::text::uuid, $10::text::uuid,
       $11::text::jsonb)
     on conflict do nothing returning ${COLUMNS}`,
    [
      scope.slug,
      installation.id,
      installation.package,
      installation.targetVersion,
      installation.status,
      JSON.stringify(installation.config),
      installation.configChecksum,
      JSON.stringify(installation.credentials),
      installation.directiveId,
      installation.installedFor,
      JSON.stringify(installation.dependencies),
    ],
  )
  return row && freezeJson(row)
}

/** One installation. */
export async function selectInstallation(
  tx: Queryable,
  scope: TenantScope,
  id: string,
): Promise<InstallationRecord | undefined> {
  const [row] = await tx.query<InstallationRecord>(
    `/* selectInstallation */ select ${COLUMNS} from ${scope.schema}.installations where tenant = $1 and id = $2::text::uuid`,
    [scope.slug, id],
  )
  return row && freezeJson(row)
}

/** One installation, which nobody else changes until the transaction ends. */
export async function lockInstallation(
  tx: Queryable,
  scope: TenantScope,
  id: string,
): Promise<InstallationRecord | undefined> {
  const [row] = await tx.query<InstallationRecord>(
    `/* lockInstallation */ select ${COLUMNS} from ${scope.schema}.installations
     where tenant = $1 and id = $2::text::uuid for update`,
    [scope.slug, id],
  )
  return row && freezeJson(row)
}

/** A package's installation that lives. */
export async function selectLiveInstallation(
  tx: Queryable,
  scope: TenantScope,
  slug: string,
): Promise<InstallationRecord | undefined> {
  const [row] = await tx.query<InstallationRecord>(
    `/* selectLiveInstallation */ select ${COLUMNS} from ${scope.schema}.installations
     where tenant = $1 and package = $2 and ${IS_LIVE}`,
    [scope.slug, slug],
  )
  return row && freezeJson(row)
}

/** All installations that live, by package. */
export async function selectLiveInstallations(
  tx: Queryable,
  scope: TenantScope,
): Promise<readonly InstallationRecord[]> {
  const rows = await tx.query<InstallationRecord>(
    `/* selectLiveInstallations */ select ${COLUMNS} from ${scope.schema}.installations
     where tenant = $1 and ${IS_LIVE} order by package`,
    [scope.slug],
  )
  return rows.map((row) => freezeJson(row))
}

/** Which installations to list. */
export interface InstallationFilter {
  readonly package: string | null
  readonly status: InstallationStatus | null
  /** Those that have ended, too. */
  readonly ended: boolean
  /** Only those before this id. */
  readonly before: string | null
  readonly limit: number
}

/** Installations, newest first. */
export async function selectInstallations(
  tx: Queryable,
  scope: TenantScope,
  filter: InstallationFilter,
): Promise<readonly InstallationRecord[]> {
  const rows = await tx.query<InstallationRecord>(
    `/* selectInstallations */ select ${COLUMNS} from ${scope.schema}.installations
     where tenant = $1 and ($2::text is null or package = $2) and ($3::text is null or status = $3)
       and ($4::boolean or ${IS_LIVE}) and ($5::text is null or id < $5::text::uuid)
     order by id desc limit $6`,
    [scope.slug, filter.package, filter.status, filter.ended, filter.before, filter.limit],
  )
  return rows.map((row) => freezeJson(row))
}

/** What may change of an installation that is locked. */
export type InstallationChange = Omit<
  InstallationRecord,
  "package" | "installedFor" | "insertedAt" | "installedAt" | "endedAt" | "updatedAt"
> & {
  /** When it changed last, as a snapshot has it. Default: now. */
  readonly changedAt?: string
}

/** Writes an installation that is locked. */
export async function updateInstallation(tx: Queryable, scope: TenantScope, change: InstallationChange): Promise<void> {
  await tx.query(
    `/* updateInstallation */ update ${scope.schema}.installations
     set version = $3, target_version = $4, status = $5, config = $6::text::jsonb, config_checksum = $7,
       credentials = $8::text::jsonb, error = $9::text::jsonb, directive_id = $10::text::uuid,
       upgrade_id = $11::text::uuid, dependencies = $12::text::jsonb,
       updated_at = coalesce($13::text::timestamptz, now()),
       installed_at = case when $5 = 'active' then coalesce(installed_at, now()) else installed_at end,
       ended_at = case when $5 in ('failed', 'uninstalled') then now() end
     where tenant = $1 and id = $2::text::uuid`,
    [
      scope.slug,
      change.id,
      change.version,
      change.targetVersion,
      change.status,
      JSON.stringify(change.config),
      change.configChecksum,
      JSON.stringify(change.credentials),
      change.error && JSON.stringify(change.error),
      change.directiveId,
      change.upgradeId,
      JSON.stringify(change.dependencies),
      change.changedAt ?? null,
    ],
  )
}

/** Has whoever changes which packages a tenant has take turns, until the transaction ends. */
export async function lockInstallations(tx: Queryable, scope: TenantScope): Promise<void> {
  await tx.query(
    `/* lockInstallations */ select 1 from pg_advisory_xact_lock(hashtextextended('fleetprompt.installations ' || $1::text, 0))`,
    [scope.slug],
  )
}

/** How many directives of a type there are under a key, or one that is the key, a colon and more; and how many are open. */
export async function countDirectivesByKey(
  tx: Queryable,
  scope: TenantScope,
  { type, key }: { readonly type: string; readonly key: string },
): Promise<{ readonly total: number; readonly open: number }> {
  const [row] = await tx.query<{ readonly total: number; readonly open: number }>(
    `/* countDirectivesByKey */ select count(*)::integer as total,
       (count(*) filter (where status in ('requested', 'running')))::integer as open
     from ${scope.schema}.directives
     where tenant = $1 and type = $2 and (idempotency_key = $3 or starts_with(idempotency_key, $3 || ':'))`,
    [scope.slug, type, key],
  )
  return row ?? { total: 0, open: 0 }
}
