import { createWriteStream } from "node:fs"
import { readFile } from "node:fs/promises"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import type { AuditLog } from "../audit/audit-door.ts"
import type { AuditHead } from "../audit/audit-head.ts"
import type { AuditFilter } from "../audit/audit-list.ts"
import { lastRowOf } from "../audit/last-row.ts"
import type { AuditReport } from "../audit/verify-audit.ts"
import { verifyAuditExport } from "../audit/verify-export.ts"
import { FleetPromptError } from "../errors.ts"
import type { Fleet } from "../fleet.ts"
import { PLATFORM_LOG } from "../store/audit-intake.ts"
import { auditLine, reportText } from "./audit-text.ts"
import type { CommandContext } from "./command-context.ts"
import { progressBar } from "./progress-bar.ts"
import { whoRuns, withFleet } from "./with-fleet.ts"

/** What every command that opens the database takes. */
export interface AuditDatabaseOptions {
  /** Files of the embedded database. */
  readonly dataDirectory: string
  /** Public keys that signed before the present one. */
  readonly key: readonly string[]
}

/** Options of `audit verify`. */
export interface AuditVerifyOptions extends AuditDatabaseOptions {
  /** A file with heads that were kept elsewhere, one JSON object a line. */
  readonly anchors?: string
  readonly json: boolean
}

const FAILED = 1

/** Checks the logs of these tenants, or of all and the platform. The exit code is 1 when anything is wrong. */
export async function auditVerify(
  slugs: readonly string[],
  options: AuditVerifyOptions,
  context: CommandContext,
): Promise<void> {
  const anchors = await anchorsOf(options.anchors)
  await withLogs(options, context, async (fleet) => {
    const reports: AuditReport[] = []
    for (const slug of await logsOf(fleet, slugs)) {
      const report = await logOf(fleet, slug).verify({
        anchors: anchors.filter(({ tenant }) => tenant === slug),
        onProgress: telling(slug, context),
        abort: context.stop,
      })
      reports.push(report)
      if (!options.json) context.output(reportText(report))
    }
    if (options.json) context.output(JSON.stringify(reports))
    if (reports.some(({ ok }) => !ok)) process.exitCode = FAILED
  })
}

/** Options of `audit export`. */
export interface AuditExportOptions extends AuditDatabaseOptions {
  /** Where to write; `-` is standard output. */
  readonly file: string
}

/** Writes a log as JSON Lines. */
export async function auditExport(slug: string, options: AuditExportOptions, context: CommandContext): Promise<void> {
  await withLogs(options, context, async (fleet) => {
    const lines = logOf(fleet, slug).export({ onProgress: telling(slug, context), abort: context.stop })
    // "wx": an export that is there is evidence, and is not written over. Only its owner may read it.
    const target = options.file === "-" ? process.stdout : createWriteStream(options.file, { flags: "wx", mode: 0o600 })
    await pipeline(Readable.from(lines), target, { end: options.file !== "-" })
    if (options.file !== "-") context.terminal.line(`written to ${options.file}`)
  })
}

/** Options of `audit check`. */
export interface AuditCheckOptions {
  readonly key: readonly string[]
  readonly anchors?: string
  readonly json: boolean
}

/** Checks an export without a database. The exit code is 1 when anything is wrong. */
export async function auditCheck(file: string, options: AuditCheckOptions, context: CommandContext): Promise<void> {
  const anchors = await anchorsOf(options.anchors)
  const report = await verifyAuditExport(file, {
    trusted: options.key,
    anchors,
    onProgress: telling(file, context),
    abort: context.stop,
  })
  context.output(options.json ? JSON.stringify(report) : reportText(report))
  if (!report.ok) process.exitCode = FAILED
}

/** Prints the signed heads of these tenants' logs, or of all and the platform's, one JSON object a line. */
export async function auditAnchor(
  slugs: readonly string[],
  options: AuditDatabaseOptions,
  context: CommandContext,
): Promise<void> {
  await withLogs(options, context, async (fleet) => {
    for (const slug of await logsOf(fleet, slugs)) {
      const head = await logOf(fleet, slug).head()
      if (head) context.output(JSON.stringify(head))
    }
  })
}

/** Prints the public key by which exports are checked. */
export async function auditKey(options: AuditDatabaseOptions, context: CommandContext): Promise<void> {
  await withLogs(options, context, async (fleet) => {
    const publicKey = await fleet.auditPublicKey()
    if (publicKey !== undefined) return context.output(publicKey)
    throw new FleetPromptError(
      "config_invalid",
      "expected a key ring, this fleet has none, so that its audit logs are not signed; set FLEETPROMPT_KEYS and make a key by fleetprompt keys generate",
    )
  })
}

/** Options of `audit list`. */
export interface AuditShowOptions extends AuditDatabaseOptions, AuditFilter {
  readonly limit: number
  readonly before?: number
  readonly json: boolean
}

/** Prints entries, newest first. */
export async function auditList(slug: string, options: AuditShowOptions, context: CommandContext): Promise<void> {
  const { dataDirectory: _, key: __, json, ...asked } = options
  await withLogs(options, context, async (fleet) => {
    const page = await logOf(fleet, slug).list(asked)
    if (json) return context.output(JSON.stringify(page))
    for (const entry of page.entries) context.output(auditLine(entry))
    if (page.next !== null) context.terminal.line(`older ones: --before ${page.next}`)
  })
}

/** Options of `audit prune`. */
export interface AuditPruneOptions extends AuditDatabaseOptions {
  /** The export that has the rows. */
  readonly archive: string
  /** Only what happened before this time. */
  readonly before: string
  readonly by?: string
}

/** Checks an archive, then removes from the log the rows that it has and that happened before a time. */
export async function auditPrune(slug: string, options: AuditPruneOptions, context: CommandContext): Promise<void> {
  await withLogs(options, context, async (fleet) => {
    const publicKey = await fleet.auditPublicKey()
    const trusted = publicKey === undefined ? options.key : [publicKey, ...options.key]
    const report = await verifyAuditExport(options.archive, { trusted, onProgress: telling(options.archive, context) })
    if (!report.ok || report.tenant !== slug) {
      context.output(reportText(report))
      throw new FleetPromptError(
        "data_invalid",
        `expected a sound export of the log of ${slug} as archive, got one that is not; nothing was removed`,
      )
    }
    const through = await lastRowOf(options.archive, options.before)
    const removed = through
      ? await logOf(fleet, slug).prune({ through, by: whoRuns(options.by), archive: options.archive })
      : 0
    context.output(`removed ${removed} rows that happened before ${options.before}`)
  })
}

/** Options of `audit reseal`. */
export interface AuditResealOptions extends AuditDatabaseOptions {
  readonly reason: string
  readonly by?: string
}

/** Signs logs as they stand. */
export async function auditReseal(
  slugs: readonly string[],
  options: AuditResealOptions,
  context: CommandContext,
): Promise<void> {
  await withLogs(options, context, async (fleet) => {
    for (const slug of await logsOf(fleet, slugs)) {
      const { reason, by } = options
      context.output(reportText(await logOf(fleet, slug).reseal({ by: whoRuns(by), reason })))
    }
  })
}

/** A fleet that knows the keys that signed before. */
async function withLogs(
  options: AuditDatabaseOptions,
  context: CommandContext,
  run: (fleet: Fleet) => Promise<void>,
): Promise<void> {
  await withFleet(options, context, run, { audit: { trustedKeys: options.key } })
}

async function logsOf(fleet: Fleet, slugs: readonly string[]): Promise<readonly string[]> {
  if (slugs.length > 0) return slugs
  const tenants = await fleet.tenants.list()
  const readable = tenants.filter(({ status }) => status !== "provisioning" && status !== "deleted")
  return [PLATFORM_LOG, ...readable.map(({ slug }) => slug)]
}

function logOf(fleet: Fleet, slug: string): AuditLog {
  return slug === PLATFORM_LOG ? fleet.audit : fleet.tenant(slug).audit
}

function telling(what: string, { terminal }: CommandContext): (done: number, total: number) => void {
  const startedAt = performance.now()
  return (done, total) =>
    terminal.progress(`${what} ${progressBar({ done, total, elapsedMs: performance.now() - startedAt })}`)
}

async function anchorsOf(file: string | undefined): Promise<readonly AuditHead[]> {
  if (file === undefined) return []
  const lines = (await readFile(file, "utf8")).split("\n").filter((line) => line.trim() !== "")
  // Each is checked by its signature, and refused when it is something else.
  return lines.map((line) => JSON.parse(line) as AuditHead)
}
