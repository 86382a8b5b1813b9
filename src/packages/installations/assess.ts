import type { JsonObject } from "../../signal/json.ts"
import type { CredentialRecord } from "../../store/credentials.ts"
import type { InstallationRecord } from "../../store/installations.ts"
import { applyConfig } from "../config.ts"
import type { CredentialNeed, PackageManifest } from "../manifest.ts"
import type { Packages } from "../packages-door.ts"
import type { ResolvedStep } from "../resolution.ts"
import type { MissingCredential, PlanProblem } from "./installation-plan.ts"

/** What an installer needs of the catalogue. */
export type Shelf = Pick<Packages, "manifest" | "resolve" | "countInstall">

/** A package that a tenant is to have. */
export interface WantedPackage {
  readonly slug: string
  /** A version, a range, or `latest`. */
  readonly version: string
  /** Default: what the installation has, with new defaults; of a new one, the defaults. */
  readonly config?: JsonObject | undefined
  /** Ids by names. Default: what the installation has. */
  readonly credentials?: Readonly<Record<string, string>> | undefined
  /** Id of the installation that is being made: it does not count as one that is there. */
  readonly installationId?: string | undefined
}

/** What a tenant has at the moment. */
export interface TenantState {
  /** Those that live. */
  readonly installations: readonly InstallationRecord[]
  /** Credentials by id, as far as they were asked for. */
  readonly credentials: ReadonlyMap<string, CredentialRecord>
}

/** A package as it is to be. */
export interface AssessedPackage {
  readonly step: ResolvedStep
  readonly manifest: PackageManifest
  readonly config: JsonObject
  /** Of the configuration. */
  readonly checksum: string
  readonly credentials: Readonly<Record<string, string>>
  /** What is there now. */
  readonly installation: InstallationRecord | undefined
}

/** What came of looking at everything. */
export interface Assessment {
  /** Without those that stay as they are, each after what it needs; the wanted one is the last. */
  readonly packages: readonly AssessedPackage[]
  /** All of them, with those that stay. */
  readonly steps: readonly ResolvedStep[]
  readonly missingCredentials: readonly MissingCredential[]
  readonly problems: readonly PlanProblem[]
}

/**
 * Finds out what a package needs and whether it may be installed or upgraded with what the tenant has: versions that go
 * together, configurations and credentials.
 */
export async function assess(wanted: WantedPackage, state: TenantState, shelf: Shelf): Promise<Assessment> {
  const there = state.installations.filter(({ id, version }) => id !== wanted.installationId && version !== null)
  const installed = there.map((each) => ({
    slug: each.package,
    version: each.version ?? "",
    dependencies: each.dependencies,
  }))
  const resolution = await shelf.resolve({ slug: wanted.slug, range: wanted.version }, installed)
  if (resolution.kind === "conflict")
    return { packages: [], steps: [], missingCredentials: [], problems: resolution.reasons.map(versionProblem) }
  const { steps } = resolution
  const touched = steps.filter(({ slug, action }) => action !== "keep" || slug === wanted.slug)
  const looks = await Promise.all(touched.map((step) => lookAt(step, wanted, there, state, shelf)))
  return {
    packages: looks.flatMap(({ assessed }) => (assessed ? [assessed] : [])),
    steps,
    missingCredentials: looks.flatMap(({ missing }) => missing),
    problems: looks.flatMap(({ problems }) => problems),
  }
}

function versionProblem(message: string): PlanProblem {
  return { kind: "versions", message, pointer: null }
}

interface Look {
  readonly assessed: AssessedPackage | undefined
  readonly missing: readonly MissingCredential[]
  readonly problems: readonly PlanProblem[]
}

async function lookAt(
  step: ResolvedStep,
  wanted: WantedPackage,
  there: readonly InstallationRecord[],
  state: TenantState,
  shelf: Shelf,
): Promise<Look> {
  const manifest = await shelf.manifest(step.slug, step.version)
  const message = `expected version ${step.version} of ${step.slug} in the catalogue, it has none; publish it`
  if (!manifest) return { assessed: undefined, missing: [], problems: [versionProblem(message)] }
  const isWanted = step.slug === wanted.slug
  const installation = there.find((each) => each.package === step.slug)
  const given: Pick<WantedPackage, "config" | "credentials"> = isWanted ? wanted : {}
  const applied = applyConfig(manifest, given.config ?? installation?.config ?? {})
  const credentials = { ...installation?.credentials, ...given.credentials }
  const { missing, problems } = lookAtCredentials(manifest, credentials, state.credentials)
  const place = isWanted ? "" : ` of ${step.slug}, which is needed: install it with a configuration first`
  const faults = applied.kind === "fits" ? [] : applied.problems
  return {
    assessed:
      applied.kind === "fits"
        ? { step, manifest, config: applied.config, checksum: applied.checksum, credentials, installation }
        : undefined,
    missing,
    problems: [
      ...faults.map((each): PlanProblem => ({ kind: "config", message: each.message + place, pointer: each.pointer })),
      ...problems,
    ],
  }
}

function lookAtCredentials(
  { slug, credentials: needs = [] }: PackageManifest,
  given: Readonly<Record<string, string>>,
  known: ReadonlyMap<string, CredentialRecord>,
): Omit<Look, "assessed"> {
  const missing = needs
    .filter(({ name, optional = false }) => !optional && !Object.hasOwn(given, name))
    .map(({ name, provider, kind, why }) => ({ package: slug, name, provider, kind, why }))
  const strange = Object.keys(given).filter((name) => !needs.some((need) => need.name === name))
  const unfit = needs.flatMap((need) => {
    const id = Object.hasOwn(given, need.name) ? given[need.name] : undefined
    return id === undefined ? [] : misfit(slug, need, known.get(id))
  })
  return {
    missing,
    problems: [
      ...missing.map(({ name, provider, why }) =>
        credentialProblem(
          `expected a credential for ${provider} as "${name}" of ${slug} (${why}), got none; store one and give its id`,
        ),
      ),
      ...strange.map((name) =>
        credentialProblem(`expected one of the credentials that ${slug} needs, got "${name}"; leave it out`),
      ),
      ...unfit,
    ],
  }
}

function misfit(
  slug: string,
  { name, provider, kind }: CredentialNeed,
  credential: CredentialRecord | undefined,
): readonly PlanProblem[] {
  const expected = `expected an active ${kind} for ${provider} as credential "${name}" of ${slug}`
  if (!credential) return [credentialProblem(`${expected}, the tenant has none with that id; check the id`)]
  const fits = credential.provider === provider && credential.kind === kind && credential.status === "active"
  if (fits) return []
  const got = `${credential.status} ${credential.kind} for ${credential.provider}`
  return [credentialProblem(`${expected}, got one that is: ${got}; give another one`)]
}

function credentialProblem(message: string): PlanProblem {
  return { kind: "credential", message, pointer: null }
}
