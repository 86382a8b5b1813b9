import { isUuid } from "../../signal/id.ts"
import type { JsonObject } from "../../signal/json.ts"
import type { StandardIssue, StandardSchema } from "../../signal/standard-schema.ts"

/** Which credential of the tenant's a package gets under one of its names. A list, since names may sound like secrets. */
export type CredentialChoice = { readonly name: string; readonly id: string }

/** Params of `package.install`. */
export type InstallParams = {
  readonly package_slug: string
  /** A version, a range, or `latest`. */
  readonly version: string
  /** Id of the installation that is made. Default: that of the directive. */
  readonly installation_id?: string
  readonly config?: JsonObject
  /** Of the configuration with its defaults, see `configChecksum`. Default: of `config` as it stands. */
  readonly config_checksum?: string
  readonly credentials?: readonly CredentialChoice[]
  /** How many orders of the same are over: stands behind the keys, when it is not 0. */
  readonly round?: number
}

/** Params of `package.upgrade`. */
export type UpgradeParams = Omit<InstallParams, "installation_id"> & { readonly installation_id: string }

/** Params of what is done to an installation as a whole. */
export type InstallationParams = {
  readonly installation_id: string
  readonly package_slug: string
  readonly round?: number
}

/** Params of `package.rollback`. */
export type RollbackParams = InstallationParams & {
  /** Id of the upgrade that is taken back. */
  readonly upgrade_id: string
}

interface Field {
  readonly expected: string
  readonly fits: (value: unknown) => boolean
  readonly optional?: true
}

const SLUG = /^[a-z][a-z0-9-]{1,63}$/

const slug: Field = { expected: "the slug of a package", fits: (value) => isText(value, 64) && SLUG.test(value) }
const version: Field = {
  expected: 'a version such as "1.2.0", a range or "latest"',
  fits: (value) => isText(value, 200),
}
const id: Field = { expected: "an id, a UUID", fits: (value) => isText(value, 36) && isUuid(value) }
const config: Field = { expected: "an object in { }", fits: isObject }
const checksum: Field = { expected: "a checksum such as sha256:…", fits: (value) => isText(value, 100) }
const credentials: Field = {
  expected: "a list of { name, id }",
  fits: (value) => Array.isArray(value) && value.length <= 100 && value.every(isChoice),
}
const round: Field = {
  expected: "a whole number above 0",
  fits: (value) => Number.isSafeInteger(value) && Number(value) > 0,
}

function optional(field: Field): Field {
  return { ...field, optional: true }
}

/** Checks params of `package.install`. */
export const installParams: StandardSchema<InstallParams> = paramsOf({
  package_slug: slug,
  version,
  installation_id: optional(id),
  config: optional(config),
  config_checksum: optional(checksum),
  credentials: optional(credentials),
  round: optional(round),
})

/** Checks params of `package.upgrade`. */
export const upgradeParams: StandardSchema<UpgradeParams> = paramsOf({
  package_slug: slug,
  version,
  installation_id: id,
  config: optional(config),
  config_checksum: optional(checksum),
  credentials: optional(credentials),
  round: optional(round),
})

/** Checks params of `package.enable`, `package.disable` and `package.uninstall`. */
export const installationParams: StandardSchema<InstallationParams> = paramsOf({
  installation_id: id,
  package_slug: slug,
  round: optional(round),
})

/** Checks params of `package.rollback`. */
export const rollbackParams: StandardSchema<RollbackParams> = paramsOf({
  installation_id: id,
  package_slug: slug,
  upgrade_id: id,
  round: optional(round),
})

function paramsOf<Params>(fields: Readonly<Record<string, Field>>): StandardSchema<Params> {
  return {
    "~standard": {
      version: 1,
      vendor: "fleetprompt",
      validate: (value) => {
        if (!isObject(value)) return { issues: [{ message: "expected an object in { }" }] }
        const issues = [...faultsOf(value, fields), ...strangersOf(value, fields)]
        // Each field was just looked at.
        return issues.length > 0 ? { issues } : { value: value as Params }
      },
    },
  }
}

function faultsOf(value: object, fields: Readonly<Record<string, Field>>): readonly StandardIssue[] {
  return Object.entries(fields).flatMap(([name, field]) => {
    const given: unknown = Reflect.get(value, name)
    if (given === undefined && field.optional) return []
    return field.fits(given) ? [] : [{ message: `expected ${field.expected}`, path: [name] }]
  })
}

function strangersOf(value: object, fields: Readonly<Record<string, Field>>): readonly StandardIssue[] {
  return Object.keys(value)
    .filter((name) => !Object.hasOwn(fields, name))
    .map((name) => ({ message: `expected one of ${Object.keys(fields).join(", ")}`, path: [name] }))
}

function isText(value: unknown, max: number): value is string {
  return typeof value === "string" && value !== "" && value.length <= max
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

function isChoice(value: unknown): boolean {
  if (!isObject(value) || Object.keys(value).length !== 2) return false
  const { name, id: chosen } = value as Partial<CredentialChoice>
  return isText(name, 100) && isText(chosen, 36) && isUuid(chosen)
}
