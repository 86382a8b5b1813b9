import type { JsonObject, JsonValue } from "../signal/json.ts"
import type { CredentialKind } from "../store/credentials.ts"

/** A JSON Schema, draft 2020-12, within the bounds of `docs/reference/package-manifest.md`. */
export type JsonSchema = JsonObject | boolean

/**
 * What a package is: data and nothing else. A file `fleetprompt.package.json` holds it, or `definePackage` makes it.
 * What runs is the platform's own code, which the manifest refers to by name.
 */
export interface PackageManifest {
  /** Address of the manifest's own schema, so that editors complete. It says nothing. */
  readonly $schema?: string
  /** Names the package for good: a small letter, then small letters, digits and `-`, 2 to 64 in all: `github-triage`. */
  readonly slug: string
  /** For people, 1 to 80 characters. */
  readonly name: string
  /** SemVer, without build metadata: `1.2.0`. */
  readonly version: string
  /** For people, 1 to 2,000 characters. */
  readonly description: string
  /** One word of small letters, digits and `-`: `support`. */
  readonly category: string
  /** Who publishes it, a word like `category`. A package keeps its publisher. */
  readonly publisher: string
  /** SPDX identifier or expression: `MIT`. */
  readonly license: string
  /** https addresses. */
  readonly icon?: string
  readonly homepage?: string
  readonly repository?: string
  /** At most 20 words of 1 to 40 characters. */
  readonly keywords?: readonly string[]
  /** What each installation may set: a schema of type `object`. Its defaults fill what is left out. */
  readonly config?: JsonSchema
  /** Secrets that an installation is given by reference; the package never sees one. */
  readonly credentials?: readonly CredentialNeed[]
  readonly agents?: readonly ManifestRecord[]
  readonly workflows?: readonly ManifestRecord[]
  readonly skills?: readonly ManifestRecord[]
  readonly sensors?: readonly ManifestSensor[]
  readonly schedules?: readonly ManifestSchedule[]
  /** What the platform is to run on which signals. */
  readonly handlers?: readonly HandlerBinding[]
  /** What may be called by name. */
  readonly actions?: readonly ActionBinding[]
  readonly signals?: ManifestSignals
  /** Types of the directives that its handlers and actions may request: `package.install`. */
  readonly directives?: readonly string[]
  /** Ranges of versions by slug: `{ "slack-notify": "^1.2.0" }`. */
  readonly dependencies?: Readonly<Record<string, string>>
  /** Range of FleetPrompt's versions that it works with: `>=0.1.0`. Default: any. */
  readonly platform?: string
  /** `sha256:` and 64 hex digits, of the manifest without this and `$schema`. It is checked when it is there. */
  readonly checksum?: string
}

/** A credential that an installation needs. */
export interface CredentialNeed {
  /** By which handlers and actions refer to it. */
  readonly name: string
  /** The system that it is for: `github`. */
  readonly provider: string
  readonly kind: CredentialKind
  /** For whoever is to give it: what it is used for. */
  readonly why: string
  /** What it has to allow, in the provider's words. */
  readonly scopes?: readonly string[]
  /** Whether the package also works without it. Default false. */
  readonly optional?: boolean
}

/** Something that an installation makes in the tenant: a name and plain data. */
export interface ManifestRecord {
  /** One of its own among its like in the package: `triage`. */
  readonly name: string
  readonly description?: string
  /** Template of the platform's that it is made from. */
  readonly uses?: string
  /** Plain data for it; texts may refer to `${config.x}`. */
  readonly with?: JsonObject
}

/** A source of signals that is looked at by the clock: with `uses`, a handler template of the platform's looks. */
export interface ManifestSensor extends ManifestRecord {
  /** When it looks, as in `defineSchedule`. Default: each minute. */
  readonly cron?: string
  /** IANA name. Default `UTC`. */
  readonly timeZone?: string
  /** Names of `credentials` that it uses. */
  readonly credentials?: readonly string[]
}

/** Work by the clock. */
export interface ManifestSchedule {
  readonly name: string
  readonly description?: string
  /** As in `defineSchedule`: `0 7 * * MON-FRI`. */
  readonly cron: string
  /** IANA name. Default `UTC`. */
  readonly timeZone?: string
  readonly emit: { readonly type: string; readonly data?: JsonObject }
}

/** A handler of the platform's, bound to signals. */
export interface HandlerBinding {
  readonly name: string
  readonly description?: string
  /** Name of the platform's handler template: `github.label-issue`. */
  readonly uses: string
  /** Pattern of signal types. */
  readonly on: string
  /** A further condition. Default: none. */
  readonly where?: Condition
  /** Parameters of the template; texts may refer to `${config.x}`. */
  readonly with?: JsonObject
  /** Names of `credentials` that it uses. */
  readonly credentials?: readonly string[]
}

/** Something of the platform's that may be called by name. */
export interface ActionBinding {
  readonly name: string
  readonly description?: string
  /** Name of the platform's action template. */
  readonly uses: string
  /** What a call takes. Default: anything. */
  readonly params?: JsonSchema
  /** What it answers. Default: anything. */
  readonly result?: JsonSchema
  readonly with?: JsonObject
  readonly credentials?: readonly string[]
}

/** What a condition compares by. */
export type ConditionOp = "eq" | "ne" | "gt" | "gte" | "lt" | "lte" | "in" | "exists" | "prefix"

/**
 * A condition on a signal, as data.
 *
 * @example
 * const hot: Condition = { all: [{ path: "data.score", op: "gte", value: "${config.minScore}" }, { path: "data.email", op: "exists" }] }
 */
export type Condition =
  | { readonly all: readonly Condition[] }
  | { readonly any: readonly Condition[] }
  | { readonly not: Condition }
  | {
      /** `type`, `source`, `subject`, `time`, or a path into the data: `data.issue.labels.0`. */
      readonly path: string
      readonly op: ConditionOp
      /** What is compared with; `exists` takes none. */
      readonly value?: JsonValue
    }

/** Which signals go in and out. */
export interface ManifestSignals {
  readonly emitted?: readonly SignalContract[]
  readonly consumed?: readonly SignalContract[]
}

/** What the data of a signal looks like. */
export interface SignalContract {
  readonly type: string
  /** Of the contract: 1 and on, one more when it changes so that others break. */
  readonly version: number
  /** Default: any data. */
  readonly schema?: JsonSchema
  readonly description?: string
}

/** Something that is wrong with a manifest or a configuration. */
export interface ManifestProblem {
  /** Where, as a JSON pointer: `/handlers/0/on`. */
  readonly pointer: string
  /** What was expected, what came, what to do. */
  readonly message: string
}
