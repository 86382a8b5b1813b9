/** A version that the catalogue has. */
export interface CatalogueVersion {
  readonly version: string
  readonly status: "published" | "deprecated" | "yanked"
  /** Ranges by slug. */
  readonly dependencies: Readonly<Record<string, string>>
  /** Range of the platform's versions; null: any. */
  readonly platform: string | null
}

/** What a tenant has. */
export interface InstalledPackage {
  readonly slug: string
  readonly version: string
  readonly dependencies: Readonly<Record<string, string>>
}

/** What is to be resolved. */
export interface ResolveRequest {
  /** `latest` is the same as `*`. */
  readonly wanted: { readonly slug: string; readonly range: string }
  readonly installed: readonly InstalledPackage[]
  /** Versions by slug: of the package, of what it needs, of what that needs, and so on. */
  readonly catalogue: ReadonlyMap<string, readonly CatalogueVersion[]>
  /** Version of the platform. */
  readonly platform: string
  /** Versions that are tried at most. Default 10,000. */
  readonly maxTries?: number
}

/** One package of a solution. */
export interface ResolvedStep {
  readonly slug: string
  readonly version: string
  /** keep: it is there already. */
  readonly action: "install" | "upgrade" | "downgrade" | "keep"
  /** The version that is there now, or null. */
  readonly from: string | null
  /** Whether the version is deprecated. */
  readonly isDeprecated: boolean
}

/** What came of it. */
export type Resolution =
  /** In the order of installing: each after what it needs. */
  | { readonly kind: "resolved"; readonly steps: readonly ResolvedStep[] }
  /** Sentences for people: who asks for what, what there is, why each was ruled out. */
  | { readonly kind: "conflict"; readonly reasons: readonly string[] }

/** Somebody asks for a range of a package. */
export interface Requirement {
  readonly slug: string
  readonly range: string
  /** For people: `you`, `github-triage 1.2.0`. */
  readonly by: string
}
