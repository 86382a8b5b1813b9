import type { JsonObject } from "../signal/json.ts"
import type { Queryable } from "./database.ts"
import type { TenantScope } from "./tenant-scope.ts"

/** published; deprecated: chosen only when nothing else fits; yanked: chosen no more, kept by those who have it. */
export type PackageVersionStatus = "published" | "deprecated" | "yanked"

/** A version of a package, without its manifest. */
export interface PackageVersionRecord {
  readonly slug: string
  readonly version: string
  /** Of the manifest, `sha256:` and hex digits. */
  readonly checksum: string
  readonly status: PackageVersionStatus
  /** Why it has that status, for people. */
  readonly statusReason: string | null
  /** Ranges by slug. */
  readonly dependencies: Readonly<Record<string, string>>
  /** Range of the platform's versions; null: any. */
  readonly platform: string | null
  /** Tenants that ever installed this version. */
  readonly installs: number
  /** Who published it, `kind:id`. */
  readonly publishedBy: string
  readonly publishedAt: Date
}

/** A version to be recorded. */
export interface NewPackageVersion extends Pick<PackageVersionRecord, "slug" | "version" | "checksum" | "publishedBy"> {
  readonly manifest: JsonObject
}

const COLUMNS = `version.slug, version.version, version.checksum, version.status, version.status_reason as "statusReason",
  coalesce(version.manifest -> 'dependencies', '{}') as dependencies, version.manifest ->> 'platform' as platform,
  version.installs, version.published_by as "publishedBy", version.published_at as "publishedAt"`

/** Records a version; undefined when it is there already, whatever it holds. */
export async function insertPackageVersion(
  tx: Queryable,
  { slug, version, manifest, checksum, publishedBy }: NewPackageVersion,
): Promise<PackageVersionRecord | undefined> {
  const [row] = await tx.query<PackageVersionRecord>(
    `/* insertPackageVersion */ insert into fleetprompt.package_versions as version
       (slug, version, manifest, checksum, published_by)
     values ($1, $2, $3::text::jsonb, $4, $5) on conflict do nothing returning ${COLUMNS}`,
    [slug, version, JSON.stringify(manifest), checksum, publishedBy],
  )
  return row
}

/** One version, or undefined. */
export async function selectPackageVersion(
  tx: Queryable,
  slug: string,
  version: string,
): Promise<PackageVersionRecord | undefined> {
  const [row] = await tx.query<PackageVersionRecord>(
    `/* selectPackageVersion */ select ${COLUMNS} from fleetprompt.package_versions as version
     where version.slug = $1 and version.version = $2`,
    [slug, version],
  )
  return row
}

/** The manifest of one version, or undefined. */
export async function selectManifest(tx: Queryable, slug: string, version: string): Promise<JsonObject | undefined> {
  const [row] = await tx.query<{ readonly manifest: JsonObject }>(
    `/* selectManifest */ select manifest from fleetprompt.package_versions where slug = $1 and version = $2`,
    [slug, version],
  )
  return row?.manifest
}

/** All versions of these packages, in the order of publishing. */
export function selectPackageVersions(
  tx: Queryable,
  slugs: readonly string[],
): Promise<readonly PackageVersionRecord[]> {
  return tx.query<PackageVersionRecord>(
    `/* selectPackageVersions */ select ${COLUMNS} from fleetprompt.package_versions as version
     where version.slug = any ($1::text[]) order by version.slug, version.published_at, version.version`,
    [slugs],
  )
}

/** Gives a version another status; undefined when it is not there. */
export async function updatePackageVersionStatus(
  tx: Queryable,
  slug: string,
  version: string,
  status: PackageVersionStatus,
  reason: string | null,
): Promise<PackageVersionRecord | undefined> {
  const [row] = await tx.query<PackageVersionRecord>(
    `/* updatePackageVersionStatus */ update fleetprompt.package_versions as version
     set status = $3, status_reason = $4 where version.slug = $1 and version.version = $2 returning ${COLUMNS}`,
    [slug, version, status, reason],
  )
  return row
}

/** A package that needs another. */
export interface DependentRecord {
  readonly slug: string
  /** Its latest version, whose manifest it stands in. */
  readonly version: string
  readonly range: string
}

/** Packages whose latest version needs this one, by slug. */
export function selectDependents(tx: Queryable, slug: string, limit: number): Promise<readonly DependentRecord[]> {
  return tx.query<DependentRecord>(
    `/* selectDependents */ select version.slug, version.version, version.manifest -> 'dependencies' ->> $1::text as range
     from fleetprompt.package_versions as version
     join fleetprompt.packages as package on package.slug = version.slug and package.latest_version = version.version
     where version.manifest -> 'dependencies' ? $1::text and version.status <> 'yanked'
     order by version.slug limit $2::integer`,
    [slug, limit],
  )
}

/** Notes that a tenant installed a version. @returns whether it is the first time, and the first of any version */
export async function insertPackageInstall(
  tx: Queryable,
  { slug: tenant }: TenantScope,
  slug: string,
  version: string,
): Promise<{ readonly isNew: boolean; readonly isFirst: boolean }> {
  const [row] = await tx.query<{ readonly isNew: boolean; readonly isFirst: boolean }>(
    `/* insertPackageInstall */ with noted as (
       insert into fleetprompt.package_installs (tenant, slug, version) values ($1, $2, $3)
       on conflict do nothing returning 1
     )
     select exists (select from noted) as "isNew",
       not exists (select from fleetprompt.package_installs where tenant = $1 and slug = $2) as "isFirst"`,
    [tenant, slug, version],
  )
  return row ?? { isNew: false, isFirst: false }
}

/** Counts an installation of a version. The package is locked. */
export async function addInstall(tx: Queryable, slug: string, version: string, isFirst: boolean): Promise<void> {
  await tx.query(
    `/* addInstall */ with counted as (
       update fleetprompt.package_versions set installs = installs + 1 where slug = $1 and version = $2
     )
     update fleetprompt.packages set installs = installs + 1, tenants = tenants + $3::integer where slug = $1`,
    [slug, version, isFirst ? 1 : 0],
  )
}
