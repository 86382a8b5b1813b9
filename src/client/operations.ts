// Made from docs/reference/openapi.json by scripts/build-client.mjs. Edit the routes of src/server/.

/** `Actor` of the API. */
export interface Actor {
  /** What they are. */
  readonly kind: "user" | "api_key" | "service_account" | "operator" | "host" | "system"
  /** Of the person, key or account. */
  readonly id: string
  /** The role in which it was done. */
  readonly role: string | null
}

/** `ApiKey` of the API. */
export interface ApiKey {
  /** Stands in the key's text. */
  readonly id: string
  /** For people. */
  readonly name: string
  readonly role: Role
  /** `resource:action`; null: whatever the role may. */
  readonly scopes: readonly string[] | null
  readonly owner: {
    readonly kind: "user" | "service_account" | "host"
    /** Of the owner. */
    readonly id: string
  }
  /** expired, revoked: does not work any more. */
  readonly status: "active" | "expired" | "revoked"
  /** The key that took its place; until `expiresAt` both work. */
  readonly replacedBy: string | null
  /** Who made it, `kind:id`. */
  readonly createdBy: string | null
  /** When it was made. */
  readonly createdAt: string
  /** Until when it works; null: until it is revoked. */
  readonly expiresAt: string | null
  /** When it was revoked. */
  readonly revokedAt: string | null
  /** To the minute. */
  readonly lastUsedAt: string | null
  /** From which address. */
  readonly lastUsedFrom: string | null
}

/** `Attempt` of the API. */
export interface Attempt {
  /** 1 for the first. */
  readonly attempt: number
  /** What came of it. failed: to be tried again. */
  readonly outcome: "done" | "failed" | "snoozed" | "cancelled" | "dead" | "lost" | "discarded"
  /** The process that ran it. */
  readonly worker: string
  /** Of the handler that ran. */
  readonly version: number
  /** The replay that it was part of. */
  readonly replayId: string | null
  /** When it began. */
  readonly startedAt: string
  /** When it ended. */
  readonly finishedAt: string
  /** Name, message, perhaps code and stack. */
  readonly error: Readonly<Record<string, unknown>> | null
}

/** `AuditEntry` of the API. */
export interface AuditEntry {
  /** Its place in the log: 1 and on, without a gap. */
  readonly position: number
  /** Of the entry. */
  readonly id: string
  /** With microseconds, by the database's clock. */
  readonly occurredAt: string
  readonly actor: Actor
  /** `member.role.change` */
  readonly action: string
  /** `member:0198…` */
  readonly resource: string
  /** What came of it. */
  readonly outcome: "done" | "denied" | "failed"
  /** What else there is to know. */
  readonly details: unknown
  /** Of the signal, request or handler run that it was part of. */
  readonly correlationId: string | null
  /** SHA-256, 64 hex digits. */
  readonly hash: string
}

/** `AuditHead` of the API. */
export interface AuditHead {
  /** Slug of the tenant, or `*` for the platform's own log. */
  readonly tenant: string
  /** The last row that was pruned; 0: none was. */
  readonly basePosition: number
  /** Its hash. */
  readonly baseHash: string
  /** The last row. */
  readonly position: number
  /** Its hash. */
  readonly hash: string
  /** When it was signed. */
  readonly signedAt: string
  /** The key that signed it. */
  readonly keyId: string | null
  /** Null: it is not signed. */
  readonly signature: string | null
}

/** `AuditPage` of the API. */
export interface AuditPage {
  readonly entries: readonly AuditEntry[]
  /** The `before` of the next page; null after the last. */
  readonly next: number | null
}

/** `AuditReport` of the API. */
export interface AuditReport {
  /** Slug of the tenant, or `*` for the platform's own log. */
  readonly tenant: string
  /** Whether nothing is wrong. */
  readonly ok: boolean
  /** Whether the log ends in a head that a trusted key signed. */
  readonly signed: boolean
  /** How many rows were checked. */
  readonly rows: number
  readonly head?: AuditHead
  /** Entries that have no place in the chain yet. */
  readonly waiting: number
  /** How many things are wrong. */
  readonly findingCount: number
  /** The first 100 of them. */
  readonly findings: readonly ({
    /** `edited`, `missing`, … */
    readonly kind: string
    readonly position: number | null
    /** For people. */
    readonly message: string
  })[]
}

/** `Credential` of the API. */
export interface Credential {
  /** Of the credential. */
  readonly id: string
  /** The system that it is for: `github`. */
  readonly provider: string
  /** Whose account there: `octokit`. */
  readonly account: string
  /** What it is. */
  readonly kind: "api_key" | "oauth2" | "basic" | "certificate" | "webhook_secret" | "custom"
  /** error: the provider refused to refresh it; a new secret makes it active again. */
  readonly status: "active" | "expired" | "revoked" | "error"
  /** What it allows, in the provider's words. */
  readonly scopes: readonly string[]
  /** When it ends; null: never. */
  readonly expiresAt: string | null
  /** 1, and one more with each new secret. */
  readonly version: number
  /** Why the last refresh was refused. */
  readonly problem: string | null
  /** Who stored it, `kind:id`. */
  readonly createdBy: string
  /** When it was stored. */
  readonly createdAt: string
  /** When it was changed. */
  readonly updatedAt: string
  /** To the minute. */
  readonly lastUsedAt: string | null
}

/** `DeadLetter` of the API. */
export interface DeadLetter {
  /** Of the signal. */
  readonly signalId: string
  /** Name of the handler. */
  readonly handler: string
  /** Of the signal; null when it is gone. */
  readonly type: string | null
  /** internal: every member of the tenant; admin_only: its admins and owners. */
  readonly visibility: "internal" | "admin_only" | null
  /** How often it was tried. */
  readonly attempts: number
  /** Of the handler that the delivery was made for. */
  readonly version: number
  /** What its handler's limits and order go by. */
  readonly flowKey: string | null
  /** The replay that it was part of. */
  readonly replayId: string | null
  /** What the last attempt ended with. */
  readonly error: Readonly<Record<string, unknown>> | null
  /** When it was given up. */
  readonly diedAt: string
}

/** `DeadLetterDecision` of the API. */
export interface DeadLetterDecision {
  /** One letter. */
  readonly letter?: {
    /** Of the signal. */
    readonly signalId: string
    /** Name of the handler. */
    readonly handler: string
  }
  /** All that meet every condition; in place of `letter`. */
  readonly filter?: {
    /** Only this handler's. */
    readonly handler?: string
    /** Pattern of the signals' types: `order.**`. */
    readonly type?: string
    /** Name of the last error: `TypeError`. */
    readonly errorName?: string
    /** Code of the last error: `handler_timeout`. */
    readonly errorCode?: string
    /** Died at this time or later. */
    readonly from?: string
    /** Died before this time. */
    readonly to?: string
    /** Every letter is meant. */
    readonly all?: true
  }
  /** How many were counted; when there are more now, nothing is done. */
  readonly expected?: number
  /** Why, for the audit log. */
  readonly reason?: string
}

/** `DeadLetterDetail` of the API. */
export interface DeadLetterDetail {
  readonly letter: DeadLetter
  /** As it is stored; left out when retention took it. */
  readonly signal?: {
    readonly specversion: "1.0"
    /** Of the signal. */
    readonly id: string
    /** Where it happened, a URI reference. */
    readonly source: string
    /** `lead.received` */
    readonly type: string
    /** When it happened. */
    readonly time: string
    /** What it is about. */
    readonly subject?: string
    /** Of the data. */
    readonly datacontenttype?: string
    /** URI of the schema that the data follows. */
    readonly dataschema?: string
    /** What happened, JSON. */
    readonly data?: unknown
  }
  readonly history: readonly Attempt[]
}

/** `DeadLetterPage` of the API. */
export interface DeadLetterPage {
  readonly letters: readonly DeadLetter[]
  /** Where the next page begins; null after the last. */
  readonly next: string | null
}

/** `DecidedLetters` of the API. */
export interface DecidedLetters {
  /** Letters that another call decided on are not among them. */
  readonly count: number
}

/** `Delivery` of the API. */
export interface Delivery {
  /** Name of the handler. */
  readonly handler: string
  /** waiting: not tried yet; retrying: failed, to be tried again; dead: given up. */
  readonly status: "waiting" | "running" | "retrying" | "done" | "cancelled" | "dead"
  /** How often it was tried. */
  readonly attempts: number
  /** With `retrying`: when the next attempt is due. */
  readonly nextAttemptAt: string | null
  /** Message of the last attempt's error, when it failed. */
  readonly error: string | null
}

/** `DeliveryHistory` of the API. */
export interface DeliveryHistory {
  /** Name of the handler. */
  readonly handler: string
  /** waiting: not tried yet; retrying: failed, to be tried again; dead: given up. */
  readonly status: "waiting" | "running" | "retrying" | "done" | "cancelled" | "dead"
  /** How often it was tried. */
  readonly attempts: number
  /** With `retrying`: when the next attempt is due. */
  readonly nextAttemptAt: string | null
  /** Message of the last attempt's error, when it failed. */
  readonly error: string | null
  /** Every attempt, in order. */
  readonly history: readonly Attempt[]
}

/** `Directive` of the API. */
export interface Directive {
  /** Of the directive. */
  readonly id: string
  /** What is to be done: `package.install`. */
  readonly type: string
  /** The last three are for good. */
  readonly status: "requested" | "running" | "completed" | "failed" | "cancelled"
  /** How. */
  readonly params: unknown
  /** SHA-256 of the params as canonical JSON, hex. */
  readonly paramsChecksum: string
  /** What its run answered. */
  readonly result: unknown
  /** Why it failed or was cancelled: a code. */
  readonly errorKind: string | null
  /** The same, for people. */
  readonly errorMessage: string | null
  /** What would mend it. */
  readonly errorDetails: Readonly<Record<string, unknown>>
  /** When it was ordered. */
  readonly requestedAt: string
  /** When its run began. */
  readonly startedAt: string | null
  /** When it ended. */
  readonly completedAt: string | null
  /** Not before this moment. */
  readonly runAt: string | null
  /** When it has not begun by then, it is cancelled. */
  readonly expiresAt: string | null
  readonly actor: Actor
  /** The person of the platform who requested it, or whose API key did. */
  readonly actorUserId: string | null
  /** The person behind an API key. */
  readonly actorPerson: string | null
  /** Why, for people. */
  readonly reason: string | null
  /** Of its signals. */
  readonly correlationId: string
  /** The signal that led to it. */
  readonly causationId: string | null
  /** The same key with the same type and params is the same directive. */
  readonly idempotencyKey: string | null
  /** The directive that it repeats. */
  readonly rerunOf: string | null
  /** What was said at the request about what it will do. */
  readonly plan: unknown
  /** internal: every member of the tenant; admin_only: its admins and owners. */
  readonly visibility: "internal" | "admin_only"
  /** Null when none is needed. */
  readonly approval: "waiting" | "approved" | "rejected" | null
  readonly decidedBy: Actor | null
  /** When that was decided. */
  readonly decidedAt: string | null
  /** Why. */
  readonly decisionReason: string | null
  /** Somebody wants it to end while it runs. */
  readonly cancelRequested: boolean
  /** The attempt that began last; 0 before the first. */
  readonly attempt: number
  /** How far its run says it is. */
  readonly progress: {
    readonly done: number
    readonly total: number
    readonly text?: string | null
  } | null
}

/** `DirectivePage` of the API. */
export interface DirectivePage {
  readonly directives: readonly Directive[]
  /** Where the next page begins; null after the last. */
  readonly next: string | null
}

/** `DirectiveRequested` of the API. */
export interface DirectiveRequested {
  readonly directive: Directive
  /** False when the tenant had it already, by its key. */
  readonly inserted: boolean
}

/** `DirectiveTrail` of the API. */
export interface DirectiveTrail {
  /** In the order in which they were stored. */
  readonly signals: readonly ({
    readonly specversion: "1.0"
    /** Of the signal. */
    readonly id: string
    /** Where it happened, a URI reference. */
    readonly source: string
    /** `lead.received` */
    readonly type: string
    /** When it happened. */
    readonly time: string
    /** What it is about. */
    readonly subject?: string
    /** Of the data. */
    readonly datacontenttype?: string
    /** URI of the schema that the data follows. */
    readonly dataschema?: string
    /** What happened, JSON. */
    readonly data?: unknown
  })[]
}

/** `EffectNode` of the API. */
export interface EffectNode {
  /** Of the signal. */
  readonly id: string
  /** `lead.received` */
  readonly type: string
  /** What it is about. */
  readonly subject: string | null
  /** When it happened. */
  readonly time: string
  /** The handler that emitted it; null: it came from outside. */
  readonly handler: string | null
  readonly effects: readonly EffectNode[]
}

/** `Installation` of the API. */
export interface Installation {
  /** Of the installation. */
  readonly id: string
  /** Slug of the package. */
  readonly package: string
  /** What is installed; null before the first time. */
  readonly version: string | null
  /** What it is to be, while something is under way. */
  readonly targetVersion: string | null
  /** The last two are for good. */
  readonly status: "queued" | "installing" | "active" | "paused" | "upgrading" | "uninstalling" | "uninstalled" | "failed"
  /** What would mend it. */
  readonly config: Readonly<Record<string, unknown>>
  /** Of the configuration. */
  readonly configChecksum: string
  /** Ids, by the names that the package gives them. */
  readonly credentials: Readonly<Record<string, string>>
  /** Ranges of versions by the packages that it needs. */
  readonly dependencies: Readonly<Record<string, string>>
  /** Why it failed. */
  readonly error: {
    readonly kind: string
    readonly message: string
  } | null
  /** What was done last, or is under way. */
  readonly directiveId: string
  /** The installation that needed it; null: somebody asked for it itself. */
  readonly installedFor: string | null
  /** The directive of the last upgrade, while that may be rolled back. */
  readonly upgradeId: string | null
  /** When it was asked for. */
  readonly insertedAt: string
  /** When it was installed. */
  readonly installedAt: string | null
  /** When it ended. */
  readonly endedAt: string | null
  /** When it was changed. */
  readonly updatedAt: string
}

/** `InstallationDetail` of the API. */
export interface InstallationDetail {
  readonly installation: Installation
  /** What it made, with what the tenant keeps with it. */
  readonly records: readonly (Readonly<Record<string, unknown>>)[]
  /** Handlers that it has the platform run. */
  readonly bindings: readonly (Readonly<Record<string, unknown>>)[]
  /** What was done to it, newest first, at most 100. */
  readonly history: readonly (Readonly<Record<string, unknown>>)[]
}

/** `InstallationOrdered` of the API. */
export interface InstallationOrdered {
  readonly directive: Directive
  /** False when the same was ordered already. */
  readonly inserted: boolean
  /** Of the installation that it is about. */
  readonly installationId: string
}

/** `InstallationPage` of the API. */
export interface InstallationPage {
  readonly installations: readonly Installation[]
  /** Where the next page begins; null after the last. */
  readonly next: string | null
}

/** `InstallationPlan` of the API. */
export interface InstallationPlan {
  /** What it would be. */
  readonly action: "install" | "upgrade" | "uninstall"
  /** Slug of the package. */
  readonly package: string
  /** What the tenant has now; null: not installed. */
  readonly from: string | null
  /** What it will have; null: nothing. */
  readonly version: string | null
  readonly isDeprecated: boolean
  /** Of the configuration with its defaults. */
  readonly configChecksum: string | null
  readonly dependencies: readonly ({
    /** Slug of the package. */
    readonly package: string
    /** What it will have. */
    readonly version: string
    /** What the tenant has now. */
    readonly from: string | null
    /** keep: it is there and fits. */
    readonly action: "install" | "upgrade" | "downgrade" | "keep"
  })[]
  readonly changes: readonly ({
    /** Slug of the package. */
    readonly package: string
    /** `handlers`, `schedules`, … */
    readonly part: string
    /** Of the part. */
    readonly name: string
    readonly change: "created" | "changed" | "removed"
  })[]
  readonly missingCredentials: readonly ({
    /** Slug of the package. */
    readonly package: string
    /** As the package calls it. */
    readonly name: string
    /** The system that it is for. */
    readonly provider: string
    /** What it is. */
    readonly kind: string
    /** For whoever is to give it. */
    readonly why: string
  })[]
  readonly brokenConsumers: readonly ({
    /** Type of the signal. */
    readonly signal: string
    /** `<package>.<binding>`, or a handler of the platform. */
    readonly handler: string
    /** Null: the platform's own. */
    readonly package: string | null
    /** What breaks, for people. */
    readonly reasons: readonly string[]
  })[]
  /** Why it cannot be done; none: it can. */
  readonly problems: readonly ({
    readonly kind: "versions" | "config" | "credential" | "template" | "state" | "dependents"
    /** For people. */
    readonly message: string
    /** Where in the configuration, a JSON pointer. */
    readonly pointer: string | null
  })[]
}

/** `Invitation` of the API. */
export interface Invitation {
  /** Of the invitation. */
  readonly id: string
  /** Who may accept it. */
  readonly email: string
  readonly role: Role
  /** Who asked, `kind:id`. */
  readonly invitedBy: string
  /** expired: might be sent again. */
  readonly status: "open" | "expired" | "accepted" | "revoked"
  /** How often a token was made for it. */
  readonly sends: number
  /** When it was made. */
  readonly createdAt: string
  /** Until when it may be accepted. */
  readonly expiresAt: string
}

/** `InvitationPage` of the API. */
export interface InvitationPage {
  readonly invitations: readonly Invitation[]
  /** Where the next page begins; null after the last. */
  readonly next: string | null
}

/** `Joined` of the API. */
export interface Joined {
  /** Slug of the tenant. */
  readonly tenant: string
  readonly role: Role
}

/** `ListedPackage` of the API. */
export interface ListedPackage {
  /** Names it. */
  readonly slug: string
  /** For people. */
  readonly name: string
  /** For people. */
  readonly description: string
  /** What it is for. */
  readonly category: string
  /** Whose it is. */
  readonly publisher: string
  readonly keywords: readonly string[]
  /** Its highest version that is no prerelease and was not yanked. */
  readonly latestVersion: string
  /** Installations so far; a tenant counts once for each version. */
  readonly installs: number
  /** Tenants that ever installed it. */
  readonly tenants: number
  /** Mean of its ratings, 1 to 5; null while nobody rated it. */
  readonly rating: number | null
  /** How many rated it. */
  readonly reviews: number
  /** When its first version was published. */
  readonly createdAt: string
  /** When the latest of its versions was published. */
  readonly publishedAt: string
}

/** `Me` of the API. */
export interface Me {
  /** What is calling. */
  readonly kind: "user" | "api_key" | "service_account" | "operator" | "host"
  /** Of the person, key or account. */
  readonly id: string
  /** Slug of the tenant; null for who has chosen none. */
  readonly tenant: string | null
  /** Null for who has chosen no tenant. */
  readonly role: "owner" | "admin" | "member" | "operator" | null
  /** What a key is limited to. */
  readonly scopes?: readonly string[]
  /** Of a person. */
  readonly email?: string
  /** Of a person. */
  readonly name?: string
  /** For showing and hiding: each request is decided anew. */
  readonly permissions: readonly string[]
}

/** `Member` of the API. */
export interface Member {
  /** Of the person. */
  readonly userId: string
  /** Their address. */
  readonly email: string
  /** Their name. */
  readonly name: string
  readonly role: Role
  /** disabled: may do nothing, anywhere. */
  readonly status: "active" | "disabled"
  /** Since when. */
  readonly joinedAt: string
}

/** `MemberPage` of the API. */
export interface MemberPage {
  readonly members: readonly Member[]
  /** Where the next page begins; null after the last. */
  readonly next: string | null
}

/** `NewApiKey` of the API. */
export interface NewApiKey {
  /** The key. It is kept nowhere. */
  readonly key: string
  readonly record: ApiKey
}

/** `NewDirective` of the API. */
export interface NewDirective {
  /** Of a directive that this server has. */
  readonly type: string
  /** How. Ids of credentials, never secrets. */
  readonly params?: unknown
  /** The same key with the same type and params is the same directive. */
  readonly idempotencyKey?: string
  /** Not before this moment. Default: at once. */
  readonly runAt?: string
  /** When it has not begun by then, it is cancelled. Default: never. */
  readonly expiresAt?: string
  /** Of its signals. Default: its id. */
  readonly correlationId?: string
  /** The signal that led to it. */
  readonly causationId?: string
  /** Why, for the audit log. */
  readonly reason?: string
}

/** `NewSignal` of the API. */
export interface NewSignal {
  /** Segments of letters, digits, `_` or `-` with dots between: `lead.received`. */
  readonly type: string
  /** What happened, JSON. Default null. */
  readonly data?: unknown
  /** Where it happened, a URI reference. Default `api`. */
  readonly source?: string
  /** What it is about, `type:id` by custom. */
  readonly subject?: string
  /** When it happened. Default now. */
  readonly time?: string
  /** URI of the schema that the data follows. */
  readonly dataschema?: string
  /** Further CloudEvents attributes, in small letters. */
  readonly extensions?: Readonly<Record<string, string | number | boolean>>
  /** Of the schema of the data. Default 1. */
  readonly schemaVersion?: number
  /** Shared by all signals of one first cause. Default its own id. */
  readonly correlationId?: string
  /** The signal that led to it. */
  readonly causationId?: string
  /** internal: every member of the tenant; admin_only: its admins and owners. */
  readonly visibility?: "internal" | "admin_only"
  /** The key under which the tenant has this fact once, at most 500 characters. */
  readonly dedupeKey?: string
  /** The provider's id of the event, unique together with `source`. */
  readonly sourceEventId?: string
}

/** `OpenDelivery` of the API. */
export interface OpenDelivery {
  /** Of the signal. */
  readonly signalId: string
  /** Name of the handler. */
  readonly handler: string
  /** Of the signal. */
  readonly type: string
  /** retrying: failed or given back, to be tried again. */
  readonly status: "waiting" | "running" | "retrying"
  /** How often it was tried. */
  readonly attempts: number
  /** The higher, the sooner. */
  readonly priority: number
  /** When it is due. */
  readonly runAt: string
  /** When it was made. */
  readonly enqueuedAt: string
}

/** `OpenDeliveryPage` of the API. */
export interface OpenDeliveryPage {
  readonly deliveries: readonly OpenDelivery[]
  /** Where the next page begins; null after the last. */
  readonly next: string | null
}

/** `Operation` of the API. */
export interface Operation {
  /** Of the operation. */
  readonly id: string
  /** Slug of the tenant. */
  readonly tenant: string
  /** What is done. */
  readonly kind: "provision" | "suspend" | "resume" | "export" | "import" | "delete" | "move"
  /** The last three are for good. */
  readonly status: "waiting" | "running" | "completed" | "cancelled" | "failed"
  /** Where it stands. */
  readonly step: string
  /** Of the step; 0 of 0 when it cannot be said. */
  readonly progress: {
    readonly done: number
    readonly total: number
  }
  /** Somebody wants it to end. */
  readonly cancelRequested: boolean
  /** When its next step is due. */
  readonly dueAt: string
  /** When it was asked for. */
  readonly createdAt: string
  /** When it last got further. */
  readonly updatedAt: string
  /** When it ended. */
  readonly finishedAt: string | null
  /** What would mend it. */
  readonly params?: Readonly<Record<string, unknown>>
  /** What would mend it. */
  readonly state?: Readonly<Record<string, unknown>>
  /** To operators. */
  readonly error?: Readonly<Record<string, unknown>> | null
  /** To operators. */
  readonly requestedBy?: string | null
  /** To operators. */
  readonly reason?: string | null
}

/** `Organisation` of the API. */
export interface Organisation {
  /** Its slug. */
  readonly tenant: string
  /** For people. */
  readonly name: string
  /** When it was made. */
  readonly createdAt: string
}

/** `OwnOrganisation` of the API. */
export interface OwnOrganisation {
  /** Its slug. */
  readonly tenant: string
  /** For people. */
  readonly name: string
  readonly role: Role
  /** Whether the caller's requests are about it. */
  readonly isChosen: boolean
}

/** `PackageDetail` of the API. */
export interface PackageDetail {
  /** Names it. */
  readonly slug: string
  /** For people. */
  readonly name: string
  /** For people. */
  readonly description: string
  /** What it is for. */
  readonly category: string
  /** Whose it is. */
  readonly publisher: string
  readonly keywords: readonly string[]
  /** Its highest version that is no prerelease and was not yanked. */
  readonly latestVersion: string
  /** Installations so far; a tenant counts once for each version. */
  readonly installs: number
  /** Tenants that ever installed it. */
  readonly tenants: number
  /** Mean of its ratings, 1 to 5; null while nobody rated it. */
  readonly rating: number | null
  /** How many rated it. */
  readonly reviews: number
  /** When its first version was published. */
  readonly createdAt: string
  /** When the latest of its versions was published. */
  readonly publishedAt: string
  readonly manifest: PackageManifest
  /** The highest first. */
  readonly versions: readonly PackageVersion[]
  /** What its latest version needs: ranges by slug. */
  readonly dependencies: Readonly<Record<string, string>>
  /** Packages whose latest version needs it. */
  readonly dependents: readonly ({
    readonly slug: string
  })[]
  /** How many reviews gave 1, 2, 3, 4 and 5. */
  readonly ratings: readonly number[]
}

/** `PackageManifest` of the API. */
export interface PackageManifest {
  readonly slug: string
  readonly version: string
}

/** `PackagePage` of the API. */
export interface PackagePage {
  readonly packages: readonly ListedPackage[]
  /** Where the next page begins; null after the last. */
  readonly next: string | null
}

/** `PackageReview` of the API. */
export interface PackageReview {
  /** Of the review. */
  readonly id: string
  /** 1 to 5. */
  readonly rating: number
  /** For people; may be empty. */
  readonly text: string
  /** Whether its tenant ever installed the package. */
  readonly hasInstalled: boolean
  /** When it was first said. */
  readonly createdAt: string
  /** Null: as it was first. */
  readonly editedAt: string | null
}

/** `PackageVersion` of the API. */
export interface PackageVersion {
  /** Of the package. */
  readonly slug: string
  /** Semantic version. */
  readonly version: string
  /** Of the manifest. */
  readonly checksum: string
  /** deprecated: chosen only when nothing else fits; yanked: chosen no more, kept by those who have it. */
  readonly status: "published" | "deprecated" | "yanked"
  /** Why, for people. */
  readonly statusReason: string | null
  /** Ranges by slug. */
  readonly dependencies: Readonly<Record<string, string>>
  /** Range of the platform's versions; null: any. */
  readonly platform: string | null
  /** Tenants that ever installed this version. */
  readonly installs: number
  /** `kind:id` */
  readonly publishedBy: string
  /** When it was published. */
  readonly publishedAt: string
}

/** `Pause` of the API. */
export interface Pause {
  /** Its slug. */
  readonly tenant: string
  /** Name of a handler, or `*` for all. */
  readonly handler: string
  /** Why, for people. */
  readonly reason: string | null
  /** Since when. */
  readonly pausedAt: string
}

/** `Problem` of the API. */
export interface Problem {
  /** Address of the page that describes the code. */
  readonly type: string
  /** The code in words. */
  readonly title: string
  readonly status: number
  /** What was expected, what came, and what to do. */
  readonly detail: string
  /** Of the table of errors; it never changes its meaning. */
  readonly code: string
  /** Where in the input the fault is. */
  readonly path?: string
}

/** `PublishedVersion` of the API. */
export interface PublishedVersion {
  readonly version: PackageVersion
  /** False when the catalogue had it already. */
  readonly inserted: boolean
}

/** `Replay` of the API. */
export interface Replay {
  /** Of the replay. */
  readonly id: string
  readonly request: ReplayRequest
  readonly requestedBy: {
    /** Who asked. */
    readonly id: string
    /** Their role then. */
    readonly role: string
    /** What they are. */
    readonly kind?: string
  }
  /** paused: makes no more deliveries until it is resumed; failed: `error` says why. */
  readonly status: "running" | "paused" | "completed" | "cancelled" | "failed"
  /** Signals in all, as counted at the start. */
  readonly total: number
  /** Signals looked at so far. */
  readonly seen: number
  /** Deliveries made so far. */
  readonly enqueued: number
  /** Deliveries left out so far. */
  readonly skipped: number
  /** Deliveries made that are still to be done. */
  readonly open: number
  /** What would mend it. */
  readonly error: Readonly<Record<string, unknown>> | null
  /** When it was asked for. */
  readonly createdAt: string
  /** When it last got further. */
  readonly updatedAt: string
  /** When it ended. */
  readonly finishedAt: string | null
}

/** `ReplayPlan` of the API. */
export interface ReplayPlan {
  /** Signals that match. */
  readonly signals: number
  readonly handlers: readonly ({
    /** Its name. */
    readonly handler: string
    /** Deliveries that would be made. */
    readonly run: number
    readonly skipped: {
      /** Its last attempt succeeded, and `force` was not asked for. */
      readonly succeeded: number
      /** In the queue already. */
      readonly open: number
      /** The handler does not let a replay run it. */
      readonly notReplayable: number
    }
  })[]
  /** False when the time ran out before every signal was looked at. */
  readonly isComplete: boolean
}

/** `ReplayRequest` of the API. */
export interface ReplayRequest {
  /** One signal; or `filter`. */
  readonly signalId?: string
  /** All signals that meet every condition. */
  readonly filter?: {
    /** Of their types: `order.**`. */
    readonly pattern?: string
    /** They happened at this time or later. */
    readonly from?: string
    /** They happened before this time. */
    readonly to?: string
    /** What they are about. */
    readonly subject?: string
    /** Of their first cause. */
    readonly correlationId?: string
    /** Where they happened. */
    readonly source?: string
  }
  /** Only this handler, where it fits. Default: every handler that fits. */
  readonly handler?: string
  /** Runs handlers again whose last attempt succeeded. Default false. */
  readonly force?: boolean
  /** Signals a second, at most: 1 to 10,000. Default 100. */
  readonly perSecond?: number
  /** Deliveries of it in the queue at once: 1 to 10,000. Default 1,000. */
  readonly maxOpen?: number
  /** Why, for the audit log. */
  readonly reason?: string
}

/** `ReviewPage` of the API. */
export interface ReviewPage {
  readonly reviews: readonly PackageReview[]
  /** Where the next page begins; null after the last. */
  readonly next: string | null
}

/** `Role` of the API. */
export type Role = "owner" | "admin" | "member"

/** `Schedule` of the API. */
export interface Schedule {
  /** Of the schedule. */
  readonly name: string
  /** When, as a cron expression. */
  readonly cron: string
  /** IANA name. */
  readonly timeZone: string
  /** The first slot that was not fired. */
  readonly nextSlot: string
  /** The last slot that was fired. */
  readonly lastSlot: string | null
  /** When that was done. */
  readonly lastFiredAt: string | null
  /** Since when it is left alone. */
  readonly pausedAt: string | null
}

/** `SentInvitation` of the API. */
export interface SentInvitation {
  readonly invitation: Invitation
  /** To pass on, where the server sends no mail. */
  readonly token?: string
  /** Whether the mail went out, where the server sends one. */
  readonly isSent?: boolean
}

/** `ServiceAccount` of the API. */
export interface ServiceAccount {
  /** Of the account. */
  readonly id: string
  /** One of its own in the tenant. */
  readonly name: string
  readonly role: Role
  /** Whether its keys work. */
  readonly enabled: boolean
  /** Who made it, `kind:id`. */
  readonly createdBy: string | null
  /** When it was made. */
  readonly createdAt: string
}

/** `SignalBrief` of the API. */
export interface SignalBrief {
  /** Of the signal. */
  readonly id: string
  /** `lead.received` */
  readonly type: string
  /** What it is about. */
  readonly subject: string | null
  /** When it happened. */
  readonly time: string
  /** The handler that emitted it; null: it came from outside. */
  readonly handler: string | null
}

/** `SignalChain` of the API. */
export interface SignalChain {
  /** What led to it, the first cause first. */
  readonly ancestors: readonly SignalBrief[]
  readonly signal: SignalBrief
  /** What it led to, as a tree. */
  readonly effects: readonly EffectNode[]
}

/** `SignalDetail` of the API. */
export interface SignalDetail {
  /** As it is stored; left out when retention took it. */
  readonly signal: {
    readonly specversion: "1.0"
    /** Of the signal. */
    readonly id: string
    /** Where it happened, a URI reference. */
    readonly source: string
    /** `lead.received` */
    readonly type: string
    /** When it happened. */
    readonly time: string
    /** What it is about. */
    readonly subject?: string
    /** Of the data. */
    readonly datacontenttype?: string
    /** URI of the schema that the data follows. */
    readonly dataschema?: string
    /** What happened, JSON. */
    readonly data?: unknown
  }
  readonly metadata: SignalMetadata
  /** internal: every member of the tenant; admin_only: its admins and owners. */
  readonly visibility: "internal" | "admin_only"
  /** The key under which the tenant has this fact once. */
  readonly dedupeKey: string | null
  /** The provider's id of the event. */
  readonly sourceEventId: string | null
  readonly deliveries: readonly DeliveryHistory[]
  /** What led to it, the first cause first. */
  readonly ancestors: readonly SignalBrief[]
  /** What it led to, as a tree. */
  readonly effects: readonly EffectNode[]
}

/** `SignalMetadata` of the API. */
export interface SignalMetadata {
  /** Of the schema of the data. */
  readonly schema_version: number
  /** Shared by all signals of one first cause. */
  readonly correlation_id: string
  /** The signal that led to it. */
  readonly causation_id: string | null
}

/** `SignalPage` of the API. */
export interface SignalPage {
  readonly signals: readonly SignalView[]
  /** Where the next page begins; null after the last. */
  readonly next: string | null
}

/** `SignalView` of the API. */
export interface SignalView {
  /** Of the signal. */
  readonly id: string
  /** `lead.received` */
  readonly type: string
  /** Where it happened. */
  readonly source: string
  /** What it is about. */
  readonly subject: string | null
  /** When it happened. */
  readonly time: string
  /** Shared by all signals of one first cause. */
  readonly correlationId: string
  /** The signal that led to it. */
  readonly causationId: string | null
  /** Whether content was replaced by a marker before it was stored. */
  readonly redacted: boolean
  readonly deliveries: readonly Delivery[]
}

/** `StoredSignal` of the API. */
export interface StoredSignal {
  /** Of the signal. */
  readonly id: string
  /** False when the tenant had this fact already; then the id is that one's. */
  readonly inserted: boolean
}

/** `Summary` of the API. */
export interface Summary {
  /** Its slug. */
  readonly tenant: string
  /** Which kind it is. */
  readonly database: string
  /** How many there are. */
  readonly signals: number
  readonly deliveries: {
    /** Not tried yet. */
    readonly waiting: number
    /** At the moment. */
    readonly running: number
    /** To be tried again. */
    readonly retrying: number
    /** Attempts that ended well. */
    readonly done: number
    /** Attempts that were the last. */
    readonly dead: number
  }
}

/** `Tenant` of the API. */
export interface Tenant {
  /** Its name in addresses. */
  readonly slug: string
  /** Where it stands; `elsewhere`: it is in another database of the fleet, which is away. */
  readonly status: "provisioning" | "ready" | "suspended" | "moving" | "deleting" | "deleted" | "failed" | "elsewhere"
  /** Why it is not ready, for people. */
  readonly statusReason: string | null
  /** own: a schema of its own; shared: the schema that small tenants share. */
  readonly placement: "own" | "shared"
  /** How much of the workers it gets while others want them too. */
  readonly class: "standard" | "premium" | "enterprise"
  /** When its rows are removed, while it is `deleting`. */
  readonly deleteAfter: string | null
  /** To operators. */
  readonly schemaName?: string
  /** To operators: its deliveries are not claimed. */
  readonly holdsDeliveries?: boolean
  /** To operators: the last migration that its schema has. */
  readonly schemaVersion?: number
  /** To operators: the last one after which older releases cannot work with it. */
  readonly breakingVersion?: number
  /** To operators: a migration of its schema failed. */
  readonly quarantineReason?: string | null
  /** To operators: grows with moves that change the order of signals. */
  readonly generation?: number
  /** To operators: in which further database of the fleet it is; null: in the first one. */
  readonly cell?: string | null
  /** To operators: when the slug of a deleted tenant may be taken. */
  readonly freeAfter?: string | null
}

/** `TenantFinding` of the API. */
export interface TenantFinding {
  /** The same for the same thing, each time. */
  readonly id: string
  /** `behind`, `stuck`, … */
  readonly problem: string
  /** What it is, for people. */
  readonly message: string
  /** What would mend it. */
  readonly repair: Readonly<Record<string, unknown>>
  /** What the repair would do, for people. */
  readonly proposal: string
  /** The repair removes something for good. */
  readonly destroys: boolean
}

/** `TenantPage` of the API. */
export interface TenantPage {
  readonly tenants: readonly Tenant[]
  /** The `after` of the next page; null after the last. */
  readonly next: string | null
}

/** What each operation takes and answers, by its name. */
export interface ApiOperations {
  /** Stores a signal with its deliveries. The answer comes when both are committed. */
  readonly emitSignal: {
    readonly body: NewSignal
    readonly answer: StoredSignal
  }
  /** Signals, newest first, by pages. */
  readonly listSignals: {
    readonly query?: {
      /** How many, 1 to 500. Default 100. */
      readonly limit?: number
      /** The `next` of the page before: the id of a signal. */
      readonly before?: string
      /** Only types that fit: `order.**`. */
      readonly pattern?: string
    }
    readonly answer: SignalPage
  }
  /** Stores up to 1,000 signals in one commit, all or none. */
  readonly emitSignals: {
    readonly body: {
      readonly signals: readonly NewSignal[]
    }
    readonly answer: {
      /** In the order of the signals. */
      readonly results: readonly StoredSignal[]
    }
  }
  /** Stores CloudEvents (HTTP binding 1.0.2): one, structured or binary, or a batch of up to 1,000 in one commit. */
  readonly emitCloudEvents: {
    readonly body: string
    readonly contentType: string
    readonly answer: {
      /** In the order of the events. */
      readonly results: readonly StoredSignal[]
    }
  }
  /** How many signals and deliveries the tenant has. Counted by reading. */
  readonly getSummary: {
    readonly answer: Summary
  }
  /** New signals and what comes of them, as Server-Sent Events. */
  readonly openLiveFeed: {
    readonly query?: {
      /** Only types that fit: `order.**`. */
      readonly pattern?: string
    }
    readonly answer: Response
  }
  /** One signal with its deliveries, causes and effects. */
  readonly getSignal: {
    readonly params: {
      /** Of the signal. */
      readonly id: string
    }
    readonly answer: SignalDetail
  }
  /** The signal that led to this one; 404 when it came from outside. */
  readonly getCause: {
    readonly params: {
      /** Of the signal. */
      readonly id: string
    }
    readonly answer: SignalBrief
  }
  /** What a signal led to, as a tree. */
  readonly listEffects: {
    readonly params: {
      /** Of the signal. */
      readonly id: string
    }
    readonly answer: {
      readonly effects: readonly EffectNode[]
    }
  }
  /** What led to a signal, and what it led to. */
  readonly getChain: {
    readonly params: {
      /** Of the signal. */
      readonly id: string
    }
    readonly answer: SignalChain
  }
  /** A signal's deliveries, each with what was tried. */
  readonly listDeliveriesOfSignal: {
    readonly params: {
      /** Of the signal. */
      readonly id: string
    }
    readonly answer: {
      readonly deliveries: readonly DeliveryHistory[]
    }
  }
  /** Deliveries that are to be done, by the age of their signals, by pages. */
  readonly listOpenDeliveries: {
    readonly query?: {
      /** Only this handler's. */
      readonly handler?: string
      /** How many, 1 to 500. Default 100. */
      readonly limit?: number
      /** The `next` of the page before. */
      readonly after?: string
    }
    readonly answer: OpenDeliveryPage
  }
  /** Deliveries that were given up, newest first, by pages. */
  readonly listDeadLetters: {
    readonly query?: {
      /** Only this handler's. */
      readonly handler?: string
      /** Pattern of the signals' types: `order.**`. */
      readonly type?: string
      /** Name of the last error: `TypeError`. */
      readonly errorName?: string
      /** Code of the last error: `handler_timeout`. */
      readonly errorCode?: string
      /** Died at this time or later. */
      readonly from?: string
      /** Died before this time. */
      readonly to?: string
      /** How many, 1 to 500. Default 50. */
      readonly limit?: number
      /** The `next` of the page before. */
      readonly after?: string
    }
    readonly answer: DeadLetterPage
  }
  /** How many dead letters meet every condition. */
  readonly countDeadLetters: {
    readonly query?: {
      /** Only this handler's. */
      readonly handler?: string
      /** Pattern of the signals' types: `order.**`. */
      readonly type?: string
      /** Name of the last error: `TypeError`. */
      readonly errorName?: string
      /** Code of the last error: `handler_timeout`. */
      readonly errorCode?: string
      /** Died at this time or later. */
      readonly from?: string
      /** Died before this time. */
      readonly to?: string
    }
    readonly answer: DecidedLetters
  }
  /** One dead letter with its signal and attempts. */
  readonly getDeadLetter: {
    readonly params: {
      /** Of the signal. */
      readonly signalId: string
      /** Name of the handler. */
      readonly handler: string
    }
    readonly answer: DeadLetterDetail
  }
  /** Puts dead letters back into the queue; their attempts begin anew. */
  readonly redriveDeadLetters: {
    readonly body?: DeadLetterDecision
    readonly answer: DecidedLetters
  }
  /** Throws dead letters away. */
  readonly discardDeadLetters: {
    readonly body?: DeadLetterDecision
    readonly answer: DecidedLetters
  }
  /** What of the tenant is not to be run for now, the oldest first. */
  readonly listPauses: {
    readonly answer: {
      readonly pauses: readonly Pause[]
    }
  }
  /** Holds deliveries back until they are resumed; what runs already runs on. */
  readonly pauseDeliveries: {
    readonly body?: {
      /** Only this handler. Default: every handler. */
      readonly handler?: string
      /** Why, for the audit log. */
      readonly reason?: string
    }
    readonly answer: Pause
  }
  /** Ends the pause of exactly this handler, or of every handler. */
  readonly resumeDeliveries: {
    readonly body?: {
      /** Only this handler. Default: every handler. */
      readonly handler?: string
      /** Why, for the audit log. */
      readonly reason?: string
    }
    readonly answer: {
      /** Whether there was such a pause. */
      readonly wasPaused: boolean
    }
  }
  /** The latest replays, newest first. */
  readonly listReplays: {
    readonly query?: {
      /** How many, 1 to 500. Default 50. */
      readonly limit?: number
    }
    readonly answer: {
      readonly replays: readonly Replay[]
    }
  }
  /** Has handlers run again on signals that were committed until now. */
  readonly startReplay: {
    readonly body?: ReplayRequest
    readonly answer: Replay
  }
  /** Where a replay stands. */
  readonly getReplay: {
    readonly params: {
      /** Of the replay. */
      readonly id: string
    }
    readonly answer: Replay
  }
  /** What a replay would do, by walking the signals as it would. Changes nothing. */
  readonly planReplay: {
    readonly body?: ReplayRequest
    readonly answer: ReplayPlan
  }
  /** Makes no more deliveries until it is resumed. */
  readonly pauseReplay: {
    readonly body?: {
      /** Why, for the audit log. */
      readonly reason?: string
    }
    readonly params: {
      /** Of the replay. */
      readonly id: string
    }
    readonly answer: Replay
  }
  /** Goes on where it stopped, also after a failure. */
  readonly resumeReplay: {
    readonly body?: {
      /** Why, for the audit log. */
      readonly reason?: string
    }
    readonly params: {
      /** Of the replay. */
      readonly id: string
    }
    readonly answer: Replay
  }
  /** Ends it and takes its deliveries out of the queue, except those that run. */
  readonly cancelReplay: {
    readonly body?: {
      /** Why, for the audit log. */
      readonly reason?: string
    }
    readonly params: {
      /** Of the replay. */
      readonly id: string
    }
    readonly answer: Replay
  }
  /** What was ordered, newest first, by pages. */
  readonly listDirectives: {
    readonly query?: {
      /** The last three are for good. */
      readonly status?: "requested" | "running" | "completed" | "failed" | "cancelled"
      /** Only these. */
      readonly type?: string
      /** Id of who requested it. */
      readonly actor?: string
      /** Those that wait for an approval, or do not. */
      readonly awaitingApproval?: boolean
      /** How many, 1 to 500. Default 50. */
      readonly limit?: number
      /** The `next` of the page before. */
      readonly before?: string
    }
    readonly answer: DirectivePage
  }
  /** Orders something. The same key with the same type and params answers with the directive that there is. */
  readonly requestDirective: {
    readonly body: NewDirective
    readonly answer: DirectiveRequested
  }
  /** One directive: where it stands, and what came of it. */
  readonly getDirective: {
    readonly params: {
      /** Of the directive. */
      readonly id: string
    }
    readonly answer: Directive
  }
  /** The signals of a directive: of its stages, of its own domain, of its run. */
  readonly getDirectiveTrail: {
    readonly params: {
      /** Of the directive. */
      readonly id: string
    }
    readonly answer: DirectiveTrail
  }
  /** Lets a directive run that waits for an approval. Whoever requested it may not. */
  readonly approveDirective: {
    readonly body?: {
      /** Why, for the audit log. */
      readonly reason?: string
    }
    readonly params: {
      /** Of the directive. */
      readonly id: string
    }
    readonly answer: Directive
  }
  /** Cancels a directive that waits for an approval. Whoever requested it may not; they may cancel it. */
  readonly rejectDirective: {
    readonly body?: {
      /** Why, for the audit log. */
      readonly reason?: string
    }
    readonly params: {
      /** Of the directive. */
      readonly id: string
    }
    readonly answer: Directive
  }
  /** Ends a directive: at once before it has begun, else as soon as its step has ended, with what was done undone. */
  readonly cancelDirective: {
    readonly body?: {
      /** Why, for the audit log. */
      readonly reason?: string
    }
    readonly params: {
      /** Of the directive. */
      readonly id: string
    }
    readonly answer: Directive
  }
  /** Requests what has ended once more, as a new directive. Asked twice, it answers with the same one. */
  readonly rerunDirective: {
    readonly body?: {
      /** Why, for the audit log. */
      readonly reason?: string
    }
    readonly params: {
      /** Of the directive. */
      readonly id: string
    }
    readonly answer: DirectiveRequested
  }
  /** The catalogue, the best first, by pages. */
  readonly listPackages: {
    readonly query?: {
      /** Words; the beginning of a word is enough. */
      readonly search?: string
      /** Only these. */
      readonly category?: string
      /** Only theirs. */
      readonly publisher?: string
      /** Only with this one. */
      readonly keyword?: string
      /** The mean of its ratings is at least this. */
      readonly minRating?: number
      /** Default `relevance` with a search, else `installs`. */
      readonly sort?: "relevance" | "installs" | "rating" | "newest"
      /** How many, 1 to 500. Default 100. */
      readonly limit?: number
      /** The `next` of the page before. */
      readonly after?: string
    }
    readonly answer: PackagePage
  }
  /** Puts a version into the catalogue, for good. */
  readonly publishPackage: {
    readonly body: PackageManifest
    readonly answer: PublishedVersion
  }
  /** One package with its versions, what it needs, and who needs it. */
  readonly getPackage: {
    readonly params: {
      /** Of the package. */
      readonly slug: string
    }
    readonly answer: PackageDetail
  }
  /** All versions of a package, the highest first. */
  readonly listPackageVersions: {
    readonly params: {
      /** Of the package. */
      readonly slug: string
    }
    readonly answer: {
      readonly versions: readonly PackageVersion[]
    }
  }
  /** The manifest of a version. */
  readonly getPackageManifest: {
    readonly params: {
      /** Of the package. */
      readonly slug: string
      /** Semantic version. */
      readonly version: string
    }
    readonly answer: PackageManifest
  }
  /** Lets a version be chosen only when nothing else fits. */
  readonly deprecatePackageVersion: {
    readonly body?: {
      /** Why, for the audit log. */
      readonly reason?: string
    }
    readonly params: {
      /** Of the package. */
      readonly slug: string
      /** Semantic version. */
      readonly version: string
    }
    readonly answer: PackageVersion
  }
  /** Takes a deprecation back. */
  readonly undeprecatePackageVersion: {
    readonly body?: {
      /** Why, for the audit log. */
      readonly reason?: string
    }
    readonly params: {
      /** Of the package. */
      readonly slug: string
      /** Semantic version. */
      readonly version: string
    }
    readonly answer: PackageVersion
  }
  /** Lets a version be chosen no more; those who have it keep it. */
  readonly yankPackageVersion: {
    readonly body?: {
      /** Why, for the audit log. */
      readonly reason?: string
    }
    readonly params: {
      /** Of the package. */
      readonly slug: string
      /** Semantic version. */
      readonly version: string
    }
    readonly answer: PackageVersion
  }
  /** Lets a version be chosen again. */
  readonly unyankPackageVersion: {
    readonly body?: {
      /** Why, for the audit log. */
      readonly reason?: string
    }
    readonly params: {
      /** Of the package. */
      readonly slug: string
      /** Semantic version. */
      readonly version: string
    }
    readonly answer: PackageVersion
  }
  /** What all tenants say of a package, the latest first, by pages; whose a review is, it does not tell. */
  readonly listPackageReviews: {
    readonly query?: {
      /** How many, 1 to 500. Default 100. */
      readonly limit?: number
      /** The `next` of the page before. */
      readonly before?: string
    }
    readonly params: {
      /** Of the package. */
      readonly slug: string
    }
    readonly answer: ReviewPage
  }
  /** What the caller's tenant said of a package. */
  readonly getOwnReview: {
    readonly params: {
      /** Of the package. */
      readonly slug: string
    }
    readonly answer: PackageReview
  }
  /** Says what the caller's tenant thinks of a package, in the place of what it said before. */
  readonly writeReview: {
    readonly body: {
      /** 1 to 5. */
      readonly rating: number
      /** For people, at most 4,000 characters. */
      readonly text?: string
    }
    readonly params: {
      /** Of the package. */
      readonly slug: string
    }
    readonly answer: PackageReview
  }
  /** Takes the review of the caller's tenant back. */
  readonly removeReview: {
    readonly params: {
      /** Of the package. */
      readonly slug: string
    }
    readonly answer: void
  }
  /** The packages that the tenant has installed, newest first, by pages. */
  readonly listInstallations: {
    readonly query?: {
      /** Only this one. */
      readonly package?: string
      /** The last two are for good. */
      readonly status?: "queued" | "installing" | "active" | "paused" | "upgrading" | "uninstalling" | "uninstalled" | "failed"
      /** Those too that have failed or were uninstalled. */
      readonly ended?: boolean
      /** How many, 1 to 500. Default 50. */
      readonly limit?: number
      /** The `next` of the page before. */
      readonly before?: string
    }
    readonly answer: InstallationPage
  }
  /** Has a package installed, with what it needs. The same again answers with the same directive. */
  readonly installPackage: {
    readonly body: {
      /** Of the package. */
      readonly slug: string
      /** A version, a range of versions, or `latest`, the default. */
      readonly version?: string
      /** What would mend it. */
      readonly config?: Readonly<Record<string, unknown>>
      /** Ids of the tenant's credentials, by the names that the package gives them. */
      readonly credentials?: Readonly<Record<string, string>>
      /** Why, for the audit log. */
      readonly reason?: string
    }
    readonly answer: InstallationOrdered
  }
  /** What an install, an upgrade or an uninstall would do. Changes nothing. */
  readonly planInstallation: {
    readonly body: {
      /** Of the package. */
      readonly slug: string
      /** Default: upgrade when the tenant has the package, otherwise install. */
      readonly action?: "install" | "upgrade" | "uninstall"
      /** A version, a range of versions, or `latest`, the default. */
      readonly version?: string
      /** What would mend it. */
      readonly config?: Readonly<Record<string, unknown>>
      /** Ids of the tenant's credentials, by the names that the package gives them. */
      readonly credentials?: Readonly<Record<string, string>>
    }
    readonly answer: InstallationPlan
  }
  /** The installation of a package, or one by its id, with what it made. */
  readonly getInstallation: {
    readonly params: {
      /** Slug of the package, or id of the installation. */
      readonly package: string
    }
    readonly answer: InstallationDetail
  }
  /** Has a package upgraded, downgraded or configured anew. */
  readonly upgradePackage: {
    readonly body?: {
      /** A version, a range of versions, or `latest`, the default. */
      readonly version?: string
      /** What would mend it. */
      readonly config?: Readonly<Record<string, unknown>>
      /** Ids of the tenant's credentials, by the names that the package gives them. */
      readonly credentials?: Readonly<Record<string, string>>
      /** Why, for the audit log. */
      readonly reason?: string
    }
    readonly params: {
      /** Slug of the package. */
      readonly package: string
    }
    readonly answer: InstallationOrdered
  }
  /** Makes a package what it was before its last upgrade. */
  readonly rollbackPackage: {
    readonly body?: {
      /** Why, for the audit log. */
      readonly reason?: string
    }
    readonly params: {
      /** Slug of the package. */
      readonly package: string
    }
    readonly answer: InstallationOrdered
  }
  /** Has a package run again. */
  readonly enablePackage: {
    readonly body?: {
      /** Why, for the audit log. */
      readonly reason?: string
    }
    readonly params: {
      /** Slug of the package. */
      readonly package: string
    }
    readonly answer: InstallationOrdered
  }
  /** Has a package run nothing; deliveries that there are wait. */
  readonly disablePackage: {
    readonly body?: {
      /** Why, for the audit log. */
      readonly reason?: string
    }
    readonly params: {
      /** Slug of the package. */
      readonly package: string
    }
    readonly answer: InstallationOrdered
  }
  /** Removes a package and what it made. */
  readonly uninstallPackage: {
    readonly body?: {
      /** Why, for the audit log. */
      readonly reason?: string
    }
    readonly params: {
      /** Slug of the package. */
      readonly package: string
    }
    readonly answer: InstallationOrdered
  }
  /** Calls an action of a package that is active. Each call stands in the audit log. */
  readonly executeAction: {
    readonly body?: {
      /** What the action is called with. Default null. */
      readonly input?: unknown
    }
    readonly params: {
      /** Slug of the package. */
      readonly package: string
      /** Name of the action. */
      readonly action: string
    }
    readonly answer: {
      /** What it answered. */
      readonly result: unknown
    }
  }
  /** Who is calling, and what they may. */
  readonly getMe: {
    readonly answer: Me
  }
  /** The organisations that the caller is in. */
  readonly listOwnOrganisations: {
    readonly answer: {
      readonly organisations: readonly OwnOrganisation[]
    }
  }
  /** Chooses the organisation that the caller's requests are about. */
  readonly chooseOrganisation: {
    readonly body: {
      /** Slug of an organisation, or null for none. */
      readonly tenant: string | null
    }
    readonly answer: void
  }
  /** Joins the organisation of an invitation. For the person with the invited address. */
  readonly acceptInvitation: {
    readonly body: {
      /** Of the invitation. */
      readonly token: string
    }
    readonly answer: Joined
  }
  /** Whose the tenant is. */
  readonly getOrganisation: {
    readonly answer: Organisation
  }
  /** Gives the organisation another name; the slug stays. */
  readonly renameOrganisation: {
    readonly body: {
      /** 1 to 200 characters in one line. */
      readonly name: string
    }
    readonly answer: Organisation
  }
  /** The people of the tenant, by pages. */
  readonly listMembers: {
    readonly query?: {
      /** How many, 1 to 500. Default 100. */
      readonly limit?: number
      /** The `next` of the page before. */
      readonly after?: string
    }
    readonly answer: MemberPage
  }
  /** Adds a person of an organisation of the caller's, or of none; others are invited. */
  readonly addMember: {
    readonly body: {
      /** Of the person. */
      readonly userId: string
      readonly role: Role
    }
    readonly answer: Member
  }
  /** Gives a member another role. */
  readonly changeMemberRole: {
    readonly body: {
      readonly role: Role
    }
    readonly params: {
      /** Of the person or invitation. */
      readonly id: string
    }
    readonly answer: Member
  }
  /** Takes a person out of the tenant. Everybody may leave. */
  readonly removeMember: {
    readonly params: {
      /** Of the person or invitation. */
      readonly id: string
    }
    readonly answer: void
  }
  /** Who was asked to join, the latest first, by pages. */
  readonly listInvitations: {
    readonly query?: {
      /** How many, 1 to 500. Default 100. */
      readonly limit?: number
      /** The `next` of the page before. */
      readonly before?: string
    }
    readonly answer: InvitationPage
  }
  /** Asks somebody to join. */
  readonly createInvitation: {
    readonly body: {
      /** Of whom. */
      readonly email: string
      readonly role?: Role
    }
    readonly answer: SentInvitation
  }
  /** Asks once more, with another token. */
  readonly resendInvitation: {
    readonly params: {
      /** Of the person or invitation. */
      readonly id: string
    }
    readonly answer: SentInvitation
  }
  /** Takes an invitation back. */
  readonly revokeInvitation: {
    readonly params: {
      /** Of the person or invitation. */
      readonly id: string
    }
    readonly answer: void
  }
  /** API keys, the latest first; whoever may not read all sees their own. */
  readonly listApiKeys: {
    readonly query?: {
      /** How many, 1 to 500. Default 100. */
      readonly limit?: number
      /** Id of the last key of the page before. */
      readonly before?: string
    }
    readonly answer: {
      readonly keys: readonly ApiKey[]
    }
  }
  /** Makes an API key, the caller's own or a service account's. Its text is in this answer and in no other. */
  readonly createApiKey: {
    readonly body: {
      /** For people, up to 100 characters. */
      readonly name: string
      readonly role: Role
      /** What it is limited to, `resource:action`. Default: whatever the role may. */
      readonly scopes?: readonly string[]
      /** At most 5 years. Default 90 days; null: until it is revoked. */
      readonly lifetimeMs?: number | null
      /** Whose key it is to be. Default: the caller's own. */
      readonly serviceAccountId?: string
    }
    readonly answer: NewApiKey
  }
  /** One API key, without its text. */
  readonly getApiKey: {
    readonly params: {
      /** Of the key or account. */
      readonly id: string
    }
    readonly answer: ApiKey
  }
  /** Ends a key, also when it had ended. */
  readonly revokeApiKey: {
    readonly params: {
      /** Of the key or account. */
      readonly id: string
    }
    readonly answer: void
  }
  /** Makes the key that takes this one's place. */
  readonly rotateApiKey: {
    readonly body?: {
      /** How long both work, at most 30 days. Default 24 hours; 0: the old one ends at once. */
      readonly overlapMs?: number
    }
    readonly params: {
      /** Of the key or account. */
      readonly id: string
    }
    readonly answer: NewApiKey
  }
  /** Service accounts, by name. */
  readonly listServiceAccounts: {
    readonly answer: {
      readonly serviceAccounts: readonly ServiceAccount[]
    }
  }
  /** Makes a service account. */
  readonly createServiceAccount: {
    readonly body: {
      /** One of its own in the tenant. */
      readonly name: string
      readonly role: Role
    }
    readonly answer: ServiceAccount
  }
  /** Changes a service account. */
  readonly changeServiceAccount: {
    readonly body?: {
      /** One of its own in the tenant. */
      readonly name?: string
      readonly role?: Role
      /** Whether its keys work. */
      readonly enabled?: boolean
    }
    readonly params: {
      /** Of the account. */
      readonly id: string
    }
    readonly answer: ServiceAccount
  }
  /** Removes a service account; its keys are revoked. */
  readonly removeServiceAccount: {
    readonly params: {
      /** Of the account. */
      readonly id: string
    }
    readonly answer: void
  }
  /** Credentials, without their secrets. */
  readonly listCredentials: {
    readonly query?: {
      /** Only those for this system. */
      readonly provider?: string
      /** error: the provider refused to refresh it; a new secret makes it active again. */
      readonly status?: "active" | "expired" | "revoked" | "error"
      /** The last id of the page before. */
      readonly after?: string
      /** How many, 1 to 500. Default 100. */
      readonly limit?: number
    }
    readonly answer: {
      readonly credentials: readonly Credential[]
    }
  }
  /** Stores a credential. Its secret goes in, and no answer has it. */
  readonly createCredential: {
    readonly body: {
      /** The system that it is for: small letters, digits, `_`, `-` and dots, at most 100. */
      readonly provider: string
      /** Whose account there, 1 to 200 characters. */
      readonly account: string
      /** What it is. */
      readonly kind: "api_key" | "oauth2" | "basic" | "certificate" | "webhook_secret" | "custom"
      /** What would mend it. */
      readonly secret: Readonly<Record<string, unknown>>
      /** What it allows, in the provider's words. Default: none are noted. */
      readonly scopes?: readonly string[]
      /** When it ends. Default: never. */
      readonly expiresAt?: string | null
    }
    readonly answer: Credential
  }
  /** One credential, without its secret. */
  readonly getCredential: {
    readonly params: {
      /** Of the credential. */
      readonly id: string
    }
    readonly answer: Credential
  }
  /** Removes a credential. */
  readonly removeCredential: {
    readonly params: {
      /** Of the credential. */
      readonly id: string
    }
    readonly answer: void
  }
  /** Gives a credential another secret. */
  readonly replaceSecret: {
    readonly body: {
      /** What would mend it. */
      readonly secret: Readonly<Record<string, unknown>>
      /** What it allows, in the provider's words. Default: none are noted. */
      readonly scopes?: readonly string[]
      /** When it ends. Default: never. */
      readonly expiresAt?: string | null
    }
    readonly params: {
      /** Of the credential. */
      readonly id: string
    }
    readonly answer: Credential
  }
  /** Ends a credential for good; its secret is erased. */
  readonly revokeCredential: {
    readonly params: {
      /** Of the credential. */
      readonly id: string
    }
    readonly answer: Credential
  }
  /** What was done in the tenant, newest first, by pages. */
  readonly listAuditEntries: {
    readonly query?: {
      /** Id of who did it. */
      readonly actor?: string
      /** What they are: `user`. */
      readonly actorKind?: string
      /** Pattern of actions: `member.**`. */
      readonly action?: string
      /** To what it was done; with `:*` at its end all of that type. */
      readonly resource?: string
      /** What came of it. */
      readonly outcome?: "done" | "denied" | "failed"
      /** Of the signal, request or handler run. */
      readonly correlationId?: string
      /** Happened at this time or later. */
      readonly from?: string
      /** Happened before this time. */
      readonly to?: string
      /** How many, 1 to 500. Default 50. */
      readonly limit?: number
      /** The `next` of the page before. */
      readonly before?: number
    }
    readonly answer: AuditPage
  }
  /** The signed head of the log; 404 before the first entry. */
  readonly getAuditHead: {
    readonly answer: AuditHead
  }
  /** Checks every row of the log. */
  readonly verifyAuditLog: {
    readonly answer: AuditReport
  }
  /** The whole log with its signed head, a row a line. */
  readonly exportAuditLog: {
    readonly query?: {
      /** Position of the last row of the export before. */
      readonly after?: number
      /** Its hash, 64 hex digits. */
      readonly afterHash?: string
    }
    readonly answer: Response
  }
  /** All tenants, by slug, by pages. */
  readonly listTenants: {
    readonly query?: {
      /** How many, 1 to 1000. Default 100. */
      readonly limit?: number
      /** The `next` of the page before. */
      readonly after?: string
    }
    readonly answer: TenantPage
  }
  /** Makes a tenant. */
  readonly provisionTenant: {
    readonly body: {
      /** Its name in addresses, for good. */
      readonly slug: string
      /** own: a schema of its own; shared: the schema that small tenants share. */
      readonly placement?: "own" | "shared"
      /** How much of the workers it gets while others want them too. */
      readonly class?: "standard" | "premium" | "enterprise"
      /** Why, for the audit log. */
      readonly reason?: string
    }
    readonly answer: Operation
  }
  /** One tenant. */
  readonly getTenant: {
    readonly params: {
      /** Slug of the tenant. */
      readonly tenant: string
    }
    readonly answer: Tenant
  }
  /** Lets nothing of a tenant in, and begins nothing. */
  readonly suspendTenant: {
    readonly body?: {
      /** Why, for the audit log. */
      readonly reason?: string
    }
    readonly params: {
      /** Slug of the tenant. */
      readonly tenant: string
    }
    readonly answer: Operation
  }
  /** Lets a suspended tenant work on. */
  readonly resumeTenant: {
    readonly body?: {
      /** Why, for the audit log. */
      readonly reason?: string
    }
    readonly params: {
      /** Slug of the tenant. */
      readonly tenant: string
    }
    readonly answer: Operation
  }
  /** Removes a tenant after 30 days; until then it can be undone. */
  readonly deleteTenant: {
    readonly body?: {
      /** When, for operators. Default 30 days. */
      readonly delayMs?: number
      /** Why, for the audit log. */
      readonly reason?: string
    }
    readonly params: {
      /** Slug of the tenant. */
      readonly tenant: string
    }
    readonly answer: Operation
  }
  /** Takes a deletion back. */
  readonly undeleteTenant: {
    readonly body?: {
      /** Why, for the audit log. */
      readonly reason?: string
    }
    readonly params: {
      /** Slug of the tenant. */
      readonly tenant: string
    }
    readonly answer: Operation
  }
  /** Copies a tenant's rows to another placement, and goes on there. */
  readonly moveTenant: {
    readonly body: {
      /** own: a schema of its own; shared: the schema that small tenants share. */
      readonly placement: "own" | "shared"
      /** How long what runs may go on. Default 60,000. */
      readonly drainMs?: number
      /** How long the rows are kept at the old place. Default 7 days. */
      readonly keepMs?: number
      /** Why, for the audit log. */
      readonly reason?: string
    }
    readonly params: {
      /** Slug of the tenant. */
      readonly tenant: string
    }
    readonly answer: Operation
  }
  /** Gives a tenant another class. */
  readonly changeTenantClass: {
    readonly body: {
      /** How much of the workers it gets while others want them too. */
      readonly class: "standard" | "premium" | "enterprise"
      /** Why, for the audit log. */
      readonly reason?: string
    }
    readonly params: {
      /** Slug of the tenant. */
      readonly tenant: string
    }
    readonly answer: Tenant
  }
  /** What of the tenants is not as it should be. Reads through all tables. */
  readonly checkTenants: {
    readonly answer: {
      readonly findings: readonly TenantFinding[]
    }
  }
  /** Mends what a finding tells of. */
  readonly repairTenant: {
    readonly body?: {
      /** Whether it may remove something for good. Default false. */
      readonly destroy?: boolean
      /** Why, for the audit log. */
      readonly reason?: string
    }
    readonly params: {
      /** Of the finding. */
      readonly id: string
    }
    readonly answer: TenantFinding
  }
  /** What is done to tenants, the newest first. */
  readonly listOperations: {
    readonly query?: {
      /** Slug. Default: the caller's; of an operator who has chosen none, all. */
      readonly tenant?: string
      /** Only those that have not ended. */
      readonly open?: boolean
      /** How many, 1 to 1000. Default 100. */
      readonly limit?: number
    }
    readonly answer: {
      readonly operations: readonly Operation[]
    }
  }
  /** Where an operation stands. */
  readonly getOperation: {
    readonly params: {
      /** Of the operation. */
      readonly id: string
    }
    readonly answer: Operation
  }
  /** Ends an operation, for whoever may do what that comes to. */
  readonly cancelOperation: {
    readonly body?: {
      /** Why, for the audit log. */
      readonly reason?: string
    }
    readonly params: {
      /** Of the operation. */
      readonly id: string
    }
    readonly answer: Operation
  }
  /** The schedules that ever ran in this fleet, by name. */
  readonly listSchedules: {
    readonly answer: {
      readonly schedules: readonly Schedule[]
    }
  }
  /** Leaves a schedule alone, in every process and beyond restarts. */
  readonly pauseSchedule: {
    readonly body?: {
      /** Why, for the audit log. */
      readonly reason?: string
    }
    readonly params: {
      /** Of the schedule. */
      readonly name: string
    }
    readonly answer: void
  }
  /** Lets a schedule go on with the next slot to come. */
  readonly resumeSchedule: {
    readonly body?: {
      /** Why, for the audit log. */
      readonly reason?: string
    }
    readonly params: {
      /** Of the schedule. */
      readonly name: string
    }
    readonly answer: void
  }
  /** Whether the fleet can do its work. */
  readonly getHealth: {
    readonly answer: {
      /** Whether every check is well. */
      readonly ready: boolean
      readonly checks: readonly ({
        /** Of the check. */
        readonly name: string
        readonly ok: boolean
      })[]
    }
  }
}

/** Method, path, by which parameter its pages go on, and whether it takes an `Idempotency-Key`. */
export const operations: Readonly<
  Record<keyof ApiOperations, readonly [method: string, path: string, cursor: "after" | "before" | null, hasKey: boolean]>
> = {
  emitSignal: ["POST","/v1/signals",null,true],
  listSignals: ["GET","/v1/signals","before",false],
  emitSignals: ["POST","/v1/signals/batch",null,false],
  emitCloudEvents: ["POST","/v1/events",null,false],
  getSummary: ["GET","/v1/summary",null,false],
  openLiveFeed: ["GET","/v1/signals/live",null,false],
  getSignal: ["GET","/v1/signals/{id}",null,false],
  getCause: ["GET","/v1/signals/{id}/cause",null,false],
  listEffects: ["GET","/v1/signals/{id}/effects",null,false],
  getChain: ["GET","/v1/signals/{id}/chain",null,false],
  listDeliveriesOfSignal: ["GET","/v1/signals/{id}/deliveries",null,false],
  listOpenDeliveries: ["GET","/v1/deliveries","after",false],
  listDeadLetters: ["GET","/v1/dead-letters","after",false],
  countDeadLetters: ["GET","/v1/dead-letters/count",null,false],
  getDeadLetter: ["GET","/v1/dead-letters/{signalId}/{handler}",null,false],
  redriveDeadLetters: ["POST","/v1/dead-letters/redrive",null,false],
  discardDeadLetters: ["POST","/v1/dead-letters/discard",null,false],
  listPauses: ["GET","/v1/pauses",null,false],
  pauseDeliveries: ["POST","/v1/pauses",null,false],
  resumeDeliveries: ["POST","/v1/pauses/resume",null,false],
  listReplays: ["GET","/v1/replays",null,false],
  startReplay: ["POST","/v1/replays",null,false],
  getReplay: ["GET","/v1/replays/{id}",null,false],
  planReplay: ["POST","/v1/replays/plan",null,false],
  pauseReplay: ["POST","/v1/replays/{id}/pause",null,false],
  resumeReplay: ["POST","/v1/replays/{id}/resume",null,false],
  cancelReplay: ["POST","/v1/replays/{id}/cancel",null,false],
  listDirectives: ["GET","/v1/directives","before",false],
  requestDirective: ["POST","/v1/directives",null,true],
  getDirective: ["GET","/v1/directives/{id}",null,false],
  getDirectiveTrail: ["GET","/v1/directives/{id}/trail",null,false],
  approveDirective: ["POST","/v1/directives/{id}/approve",null,false],
  rejectDirective: ["POST","/v1/directives/{id}/reject",null,false],
  cancelDirective: ["POST","/v1/directives/{id}/cancel",null,false],
  rerunDirective: ["POST","/v1/directives/{id}/rerun",null,false],
  listPackages: ["GET","/v1/packages","after",false],
  publishPackage: ["POST","/v1/packages",null,false],
  getPackage: ["GET","/v1/packages/{slug}",null,false],
  listPackageVersions: ["GET","/v1/packages/{slug}/versions",null,false],
  getPackageManifest: ["GET","/v1/packages/{slug}/versions/{version}",null,false],
  deprecatePackageVersion: ["POST","/v1/packages/{slug}/versions/{version}/deprecate",null,false],
  undeprecatePackageVersion: ["POST","/v1/packages/{slug}/versions/{version}/undeprecate",null,false],
  yankPackageVersion: ["POST","/v1/packages/{slug}/versions/{version}/yank",null,false],
  unyankPackageVersion: ["POST","/v1/packages/{slug}/versions/{version}/unyank",null,false],
  listPackageReviews: ["GET","/v1/packages/{slug}/reviews","before",false],
  getOwnReview: ["GET","/v1/packages/{slug}/review",null,false],
  writeReview: ["PUT","/v1/packages/{slug}/review",null,false],
  removeReview: ["DELETE","/v1/packages/{slug}/review",null,false],
  listInstallations: ["GET","/v1/installations","before",false],
  installPackage: ["POST","/v1/installations",null,false],
  planInstallation: ["POST","/v1/installations/plan",null,false],
  getInstallation: ["GET","/v1/installations/{package}",null,false],
  upgradePackage: ["POST","/v1/installations/{package}/upgrade",null,false],
  rollbackPackage: ["POST","/v1/installations/{package}/rollback",null,false],
  enablePackage: ["POST","/v1/installations/{package}/enable",null,false],
  disablePackage: ["POST","/v1/installations/{package}/disable",null,false],
  uninstallPackage: ["POST","/v1/installations/{package}/uninstall",null,false],
  executeAction: ["POST","/v1/installations/{package}/actions/{action}",null,false],
  getMe: ["GET","/v1/me",null,false],
  listOwnOrganisations: ["GET","/v1/me/organisations",null,false],
  chooseOrganisation: ["PUT","/v1/me/organisation",null,false],
  acceptInvitation: ["POST","/v1/invitations/accept",null,false],
  getOrganisation: ["GET","/v1/organisation",null,false],
  renameOrganisation: ["PATCH","/v1/organisation",null,false],
  listMembers: ["GET","/v1/members","after",false],
  addMember: ["POST","/v1/members",null,false],
  changeMemberRole: ["PATCH","/v1/members/{id}",null,false],
  removeMember: ["DELETE","/v1/members/{id}",null,false],
  listInvitations: ["GET","/v1/invitations","before",false],
  createInvitation: ["POST","/v1/invitations",null,false],
  resendInvitation: ["POST","/v1/invitations/{id}/resend",null,false],
  revokeInvitation: ["DELETE","/v1/invitations/{id}",null,false],
  listApiKeys: ["GET","/v1/api-keys",null,false],
  createApiKey: ["POST","/v1/api-keys",null,false],
  getApiKey: ["GET","/v1/api-keys/{id}",null,false],
  revokeApiKey: ["DELETE","/v1/api-keys/{id}",null,false],
  rotateApiKey: ["POST","/v1/api-keys/{id}/rotate",null,false],
  listServiceAccounts: ["GET","/v1/service-accounts",null,false],
  createServiceAccount: ["POST","/v1/service-accounts",null,false],
  changeServiceAccount: ["PATCH","/v1/service-accounts/{id}",null,false],
  removeServiceAccount: ["DELETE","/v1/service-accounts/{id}",null,false],
  listCredentials: ["GET","/v1/credentials",null,false],
  createCredential: ["POST","/v1/credentials",null,false],
  getCredential: ["GET","/v1/credentials/{id}",null,false],
  removeCredential: ["DELETE","/v1/credentials/{id}",null,false],
  replaceSecret: ["PUT","/v1/credentials/{id}/secret",null,false],
  revokeCredential: ["POST","/v1/credentials/{id}/revoke",null,false],
  listAuditEntries: ["GET","/v1/audit","before",false],
  getAuditHead: ["GET","/v1/audit/head",null,false],
  verifyAuditLog: ["POST","/v1/audit/verify",null,false],
  exportAuditLog: ["GET","/v1/audit/export",null,false],
  listTenants: ["GET","/v1/tenants","after",false],
  provisionTenant: ["POST","/v1/tenants",null,false],
  getTenant: ["GET","/v1/tenants/{tenant}",null,false],
  suspendTenant: ["POST","/v1/tenants/{tenant}/suspend",null,false],
  resumeTenant: ["POST","/v1/tenants/{tenant}/resume",null,false],
  deleteTenant: ["POST","/v1/tenants/{tenant}/delete",null,false],
  undeleteTenant: ["POST","/v1/tenants/{tenant}/undelete",null,false],
  moveTenant: ["POST","/v1/tenants/{tenant}/move",null,false],
  changeTenantClass: ["PUT","/v1/tenants/{tenant}/class",null,false],
  checkTenants: ["GET","/v1/tenant-findings",null,false],
  repairTenant: ["POST","/v1/tenant-findings/{id}/repair",null,false],
  listOperations: ["GET","/v1/operations",null,false],
  getOperation: ["GET","/v1/operations/{id}",null,false],
  cancelOperation: ["POST","/v1/operations/{id}/cancel",null,false],
  listSchedules: ["GET","/v1/schedules",null,false],
  pauseSchedule: ["POST","/v1/schedules/{name}/pause",null,false],
  resumeSchedule: ["POST","/v1/schedules/{name}/resume",null,false],
  getHealth: ["GET","/v1/health",null,false],
}
