import { isFleetPromptError } from "../errors.ts"
import { PLATFORM_LOG, PLATFORM_SCOPE } from "../store/audit-intake.ts"
import { selectAuditHead } from "../store/audit-log.ts"
import type { Database } from "../store/database.ts"
import { requireFeature, type SchemaState } from "../store/tenant-features.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { isTransient } from "../store/transient.ts"
import { appendAudit, appendPlatformAudit } from "./append-audit.ts"
import type { AuditEntry } from "./audit-entry.ts"
import type { AuditHead } from "./audit-head.ts"
import { type AuditListOptions, type AuditPage, listAudit } from "./audit-list.ts"
import { withinTenant } from "../store/within-tenant.ts"
import { chainAudit, type ChainDeps } from "./chain-writer.ts"
import { exportAudit, type ExportOptions } from "./export-audit.ts"
import { pruneAudit, type PruneOptions } from "./prune-audit.ts"
import { resealAudit, type ResealOptions } from "./reseal-audit.ts"
import { type AuditReport, isTenant, type LogScope, readLog, verifyAudit, type VerifyOptions } from "./verify-audit.ts"

/** An audit log: a tenant's, or the platform's own. */
export interface AuditLog {
  /**
   * Adds entries of the program's own, in a transaction of their own. What FleetPrompt does itself is there already.
   *
   * @throws FleetPromptError `data_invalid` for an action that is no dotted name, `data_not_json`, `data_too_deep`
   * @example
   * const actor = { kind: "host", id: "ada@example.com" }
   * await fleet.tenant("acme").audit.append([{ action: "report.download", resource: "report:7", actor }])
   */
  readonly append: (entries: readonly AuditEntry[]) => Promise<void>
  /**
   * Entries, newest first, by pages.
   *
   * @throws FleetPromptError `query_invalid`, `pattern_invalid`
   * @example
   * const { entries } = await fleet.tenant("acme").audit.list({ action: "member.**", outcome: "denied" })
   */
  readonly list: (options?: AuditListOptions) => Promise<AuditPage>
  /**
   * Checks every row of the log and its signed head.
   *
   * @example
   * const { ok, findings } = await fleet.tenant("acme").audit.verify({ anchors: [keptHead] })
   */
  readonly verify: (options?: VerifyOptions) => Promise<AuditReport>
  /**
   * Where the log ends, signed: an anchor, when it is kept somewhere else. Undefined before the first entry.
   */
  readonly head: () => Promise<AuditHead | undefined>
  /**
   * The log as JSON Lines, piece by piece; `verifyAuditExport` checks it without a database.
   *
   * @example
   * await writeFile("acme-audit.jsonl", fleet.tenant("acme").audit.export())
   */
  readonly export: (options?: ExportOptions) => AsyncIterable<string>
  /**
   * Removes the oldest rows, which the caller has in an archive.
   *
   * @returns how many rows were removed.
   * @throws FleetPromptError `audit_broken`, `data_invalid` when the log has another row there
   */
  readonly prune: (options: PruneOptions) => Promise<number>
  /**
   * Signs the log as it stands, and notes in it who did so, why, and what `verify` found just before.
   *
   * @returns what it found.
   */
  readonly reseal: (options: ResealOptions) => Promise<AuditReport>
}

/** What an audit log is read and written with. */
export interface AuditLogDeps extends ChainDeps {
  readonly database: Database
  /** Fetches entries that wait in another database. Default: there is none. */
  readonly gather?: (log: string) => Promise<unknown>
  readonly placements: {
    readonly findToRead: (slug: string) => Promise<{ readonly scope: TenantScope; readonly schema: SchemaState }>
  }
}

/** The audit log of a tenant, or with `PLATFORM_LOG` the platform's own. */
export function openAuditLog(log: string, deps: () => AuditLogDeps): AuditLog {
  const scopeOf = async (): Promise<LogScope> => {
    if (log === PLATFORM_LOG) return PLATFORM_SCOPE
    const { scope, schema } = await deps().placements.findToRead(log)
    requireFeature(schema, "audit")
    return scope
  }
  /** With what was noted so far: an entry is read as soon as it is committed. */
  const upToDate = async (): Promise<LogScope> => {
    const scope = await scopeOf()
    await deps().gather?.(log).catch(passAway)
    await chainAudit(log, deps()).catch(passBroken)
    return scope
  }
  return Object.freeze({
    append: async (entries: readonly AuditEntry[]) => appendTo(await scopeOf(), deps().database, entries),
    list: async (options: AuditListOptions = {}) => listAudit(await upToDate(), deps(), options),
    verify: async (options: VerifyOptions = {}) => {
      const scope = await upToDate()
      return verifyAudit(scope, deps(), (await deps().keys()).verifier, options)
    },
    head: async () => {
      const scope = await upToDate()
      const head = await readLog(deps().database, scope, (tx) => selectAuditHead(tx, scope))
      return head && { ...head, tenant: log }
    },
    export: async function* (options: ExportOptions = {}) {
      yield* exportAudit(await upToDate(), deps(), options)
    },
    prune: async (options: PruneOptions) => pruneAudit(await upToDate(), deps().database, await deps().keys(), options),
    reseal: async (options: ResealOptions) => {
      const scope = await upToDate()
      const keys = await deps().keys()
      const found = await verifyAudit(scope, deps(), keys.verifier)
      await resealAudit(scope, deps().database, keys, found, options)
      return found
    },
  })
}

function appendTo(scope: LogScope, database: Database, entries: readonly AuditEntry[]): Promise<void> {
  return isTenant(scope)
    ? withinTenant(database, scope, (tx) => appendAudit(tx, scope, entries))
    : database.transaction((tx) => appendPlatformAudit(tx, entries), { role: "engine" })
}

/** While the other database is away, what waits there waits on. */
function passAway(error: unknown): void {
  if (!isTransient(error)) throw error
}

/** A log that nothing is added to can still be read, which is how somebody finds out why. */
function passBroken(error: unknown): void {
  if (!isFleetPromptError(error) || error.code !== "audit_broken") throw error
}
