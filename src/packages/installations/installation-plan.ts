import type { ManifestPart } from "../diff-manifests.ts"

/** Something that would be created, changed or removed. */
export type PlannedChange = {
  readonly package: string
  readonly part: ManifestPart
  readonly name: string
  readonly change: "created" | "changed" | "removed"
}

/** A package that the one in question needs. */
export type PlannedDependency = {
  readonly package: string
  readonly version: string
  /** What the tenant has now; null: not installed. */
  readonly from: string | null
  /** keep: it is there and fits. */
  readonly action: "install" | "upgrade" | "downgrade" | "keep"
}

/** A credential that has to be given. */
export type MissingCredential = {
  readonly package: string
  readonly name: string
  readonly provider: string
  readonly kind: string
  /** For whoever is to give it. */
  readonly why: string
}

/** A handler that runs on a signal whose contract breaks. */
export type BrokenConsumer = {
  /** Type of the signal. */
  readonly signal: string
  /** `<package>.<binding>`, or the name of a handler of the platform. */
  readonly handler: string
  /** Null: the platform's own. */
  readonly package: string | null
  /** What breaks, for people. */
  readonly reasons: readonly string[]
}

/** Why it cannot be done. */
export type PlanProblem = {
  /**
   * versions: none go together; config: it does not fit; credential: one is missing or does not fit; template: the
   * platform has none of that name, or it takes other parameters; state: the installation is not one that this can be
   * done to; dependents: other packages need it.
   */
  readonly kind: "versions" | "config" | "credential" | "template" | "state" | "dependents"
  readonly message: string
  /** Where in the configuration, a JSON pointer. */
  readonly pointer: string | null
}

/** What an install, an upgrade or an uninstall would do. It is kept with the directive. */
export type InstallationPlan = {
  readonly action: "install" | "upgrade" | "uninstall"
  readonly package: string
  /** What the tenant has now; null: not installed. */
  readonly from: string | null
  /** What it will have; null: nothing. */
  readonly version: string | null
  readonly isDeprecated: boolean
  /** Of the configuration with its defaults; null where there is none, or it does not fit. */
  readonly configChecksum: string | null
  /** In the order in which they are installed, before the package. */
  readonly dependencies: readonly PlannedDependency[]
  readonly changes: readonly PlannedChange[]
  readonly missingCredentials: readonly MissingCredential[]
  readonly brokenConsumers: readonly BrokenConsumer[]
  /** None: it can be done. */
  readonly problems: readonly PlanProblem[]
}
