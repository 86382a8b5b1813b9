import type { Principal } from "../../access/principal.ts"
import type { DirectiveRequest, DirectiveRequested } from "../../directives/directives-door.ts"
import type { JsonObject, JsonValue } from "../../signal/json.ts"
import type { BindingRecord } from "../../store/bindings.ts"
import type { SnapshotHead } from "../../store/installation-snapshots.ts"
import type { InstallationRecord, InstallationStatus } from "../../store/installations.ts"
import type { InstalledRecord } from "../../store/package-records.ts"
import type { Packages } from "../packages-door.ts"
import type { Rollouts } from "../rollouts/rollouts-door.ts"
import type { InstallationPlan } from "./installation-plan.ts"

/** A package that a tenant is to have. */
export interface PackageWish {
  readonly slug: string
  /** A version, a range of versions, or `latest`, the default. */
  readonly version?: string
  /** What the package lets be set. Default: what the installation has; of a new one, the package's defaults. */
  readonly config?: JsonObject
  /** Ids of the tenant's credentials, by the names that the package gives them. Default: what the installation has. */
  readonly credentials?: Readonly<Record<string, string>>
}

/** Who asks, why and when. */
export type PackageOrder = Pick<
  DirectiveRequest,
  "actor" | "reason" | "runAt" | "expiresAt" | "correlationId" | "causationId"
>

/** What came of asking: the directive, and the installation that it is about. */
export interface PackageOrdered extends DirectiveRequested {
  readonly installationId: string
}

/** What is to be planned. */
export interface PlanRequest extends PackageWish {
  /** Default: upgrade when the tenant has the package, otherwise install. */
  readonly action?: InstallationPlan["action"]
}

/** The catalogue, and what a tenant's installing something of it would do. */
export interface FleetPackages extends Packages {
  /** As `plan` of the tenant's packages. */
  readonly plan: (tenant: string, request: PlanRequest) => Promise<InstallationPlan>
  /** Upgrades in many tenants. */
  readonly rollouts: Rollouts
}

/** Which installations are listed. */
export interface InstallationListOptions {
  readonly package?: string
  readonly status?: InstallationStatus
  /** Those too that have failed or were uninstalled. Default false. */
  readonly ended?: boolean
  /** How many, 1 to 500. Default 50. */
  readonly limit?: number
  /** The `next` of the page before. */
  readonly before?: string
}

/** One page of a list, newest first, and where the next begins; null after the last. */
export interface InstallationPage {
  readonly installations: readonly InstallationRecord[]
  readonly next: string | null
}

/** An installation with what it made. */
export interface InstallationDetail {
  readonly installation: InstallationRecord
  /** What it made, with what the tenant keeps with it. */
  readonly records: readonly InstalledRecord[]
  readonly bindings: readonly BindingRecord[]
  /** What was done to it: snapshots before and after each directive, newest first, at most 100. */
  readonly history: readonly SnapshotHead[]
}

/** How an action is called. */
export interface ExecuteOptions {
  /** Whose rights are asked. Default: the program itself. */
  readonly actor?: Principal
  /** Ends it when nobody waits any more. */
  readonly signal?: AbortSignal
  /** Longest time, milliseconds. Default 60,000. */
  readonly timeoutMs?: number
  readonly correlationId?: string
}

/**
 * The packages that a tenant has installed. What changes them is a directive: the calls answer when it is requested, and
 * `directives.wait` tells what came of it. The same call again answers with the same directive, until what it did is not
 * so any more.
 */
export interface TenantPackages {
  /** What an install, an upgrade or an uninstall would do. Changes nothing. @throws FleetPromptError `installation_unknown` */
  readonly plan: (request: PlanRequest) => Promise<InstallationPlan>
  /**
   * Has a package installed, with what it needs.
   *
   * @throws FleetPromptError `installation_refused` with every reason, `secret_refused`, `forbidden`, and what
   * `directives.request` throws
   * @example
   * const { directive } = await tenant.packages.install({ slug: "github-triage", credentials: { github: id } }, { actor })
   * const ended = await tenant.directives.wait(directive.id)
   */
  readonly install: (wish: PackageWish, order?: PackageOrder) => Promise<PackageOrdered>
  /**
   * Has a package upgraded, downgraded or configured anew. What the tenant keeps with the package's records and
   * deliveries that wait stay.
   *
   * @throws FleetPromptError `installation_unknown`, and what `install` throws
   */
  readonly upgrade: (wish: PackageWish, order?: PackageOrder) => Promise<PackageOrdered>
  /** Makes it what it was before its last upgrade. @throws FleetPromptError `installation_unknown`, `installation_state` */
  readonly rollback: (slug: string, order?: PackageOrder) => Promise<PackageOrdered>
  /** Has it run again. @throws FleetPromptError `installation_unknown`, `installation_state` */
  readonly enable: (slug: string, order?: PackageOrder) => Promise<PackageOrdered>
  /** Has it run nothing, in no process; deliveries that there are wait. @throws FleetPromptError `installation_unknown`, `installation_state` */
  readonly disable: (slug: string, order?: PackageOrder) => Promise<PackageOrdered>
  /** Removes it and what it made. @throws FleetPromptError `installation_unknown`, `installation_needed`, `installation_state` */
  readonly uninstall: (slug: string, order?: PackageOrder) => Promise<PackageOrdered>
  /** Newest first, by pages. @throws FleetPromptError `query_invalid` */
  readonly list: (options?: InstallationListOptions) => Promise<InstallationPage>
  /** The installation of a package, or one by its id; undefined when there is none. */
  readonly get: (slugOrId: string) => Promise<InstallationDetail | undefined>
  /**
   * Calls an action of a package that is active, at most 1,000 a minute of a tenant in all processes together. Each call
   * stands in the tenant's audit log.
   *
   * @throws FleetPromptError `installation_unknown`, `installation_state`, `action_unknown`, `action_input_invalid`,
   * `action_result_invalid`, `rate_limited`, `forbidden`, and what the action throws
   * @example
   * const { sum } = await tenant.packages.execute("calculator", "add", { a: 1, b: 2 })
   */
  readonly execute: (slug: string, action: string, input: JsonValue, options?: ExecuteOptions) => Promise<JsonValue>
}
