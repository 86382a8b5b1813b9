import { createReadStream } from "node:fs"
import { FleetPromptError } from "../errors.ts"
import type { AuditRow, RawAuditRow } from "../store/audit-log.ts"
import { canonical, hashedFields, rawRow } from "./audit-chain.ts"
import { checkHead, placesOf } from "./audit-head.ts"
import { AuditVerifier, type TrustedKeys } from "./audit-keys.ts"
import { ChainWalk, Findings, noteAnchorsBeyond, noteHead, usableAnchors } from "./chain-check.ts"
import { EXPORT_FORMAT, type ExportBegin } from "./export-audit.ts"
import type { AuditReport, VerifyOptions } from "./verify-audit.ts"

/** How an export is checked. */
export interface VerifyExportOptions extends VerifyOptions {
  /** Public keys that may have signed the head, each `ed25519:…`. Get them from somewhere else than the export. */
  readonly trusted: TrustedKeys
}

/** What came of checking an export. */
export interface ExportReport extends AuditReport {
  /** The place before its first row; that of an export of only the later part is to be the end of the export before. */
  readonly after: ExportBegin["after"]
}

/** Longest line that is read, characters; an entry has less than a tenth of it. */
const MAX_LINE = 1_048_576

/**
 * Checks an export by itself, without a database: every row's hash, that each follows the one before, that they end
 * where the head says, and the head's signature.
 *
 * @param from path of the file, or its text in pieces of any length.
 * @throws FleetPromptError `data_invalid` for what is no export of an audit log
 * @example
 * const report = await verifyAuditExport("acme-audit.jsonl", { trusted: ["ed25519:…"] })
 * if (!report.ok) console.error(report.findings)
 */
export async function verifyAuditExport(
  from: string | AsyncIterable<string | Uint8Array>,
  options: VerifyExportOptions,
): Promise<ExportReport> {
  const { trusted, abort, onProgress } = options
  const verifier = new AuditVerifier(trusted)
  const lines = linesOf(typeof from === "string" ? createReadStream(from) : from)
  const { value: firstLine } = await lines.next()
  const begin = parseBegin(firstLine ?? "")
  const { tenant, after, head } = begin
  const findings = new Findings()
  const anchors = usableAnchors(tenant, options.anchors ?? [], verifier, findings)
  const walk = new ChainWalk(tenant, after, findings, anchors)
  for await (const line of lines) {
    abort?.throwIfAborted()
    walk.add(parseRow(line) ?? unreadable(walk))
    if (walk.checked % 1_000 === 0) onProgress?.(walk.checked, head.position - after.position)
  }
  noteBegin(begin, findings)
  walk.end(placesOf(head).last)
  noteHead(head, verifier, findings)
  noteAnchorsBeyond(placesOf(head).last, anchors, findings)
  return {
    tenant,
    after,
    ok: findings.count === 0,
    signed: checkHead(head, verifier) === "good",
    rows: walk.checked,
    head,
    waiting: 0,
    findingCount: findings.count,
    findings: findings.kept,
  }
}

/** The head says where the log begins; an export may begin later, never elsewhere. */
function noteBegin({ tenant, after, head }: ExportBegin, findings: Findings): void {
  const { base } = placesOf(head)
  if (after.position < base.position || (after.position === base.position && after.hash !== base.hash))
    findings.add("relinked", after.position, "the export does not begin where the log does")
  if (head.tenant !== tenant) findings.add("head_forged", null, "the head is of another log")
}

/** A row in which nothing is as it should be, in the place of a line that cannot be read. */
function unreadable({ last }: ChainWalk): RawAuditRow {
  return {
    position: last.position + 1,
    previousHash: "",
    hash: "",
    id: "",
    occurredAt: "",
    actorKind: "",
    actorId: "",
    actorRole: null,
    action: "",
    resource: "",
    outcome: "failed",
    details: null,
    correlationId: null,
  }
}

function parseRow(line: string): RawAuditRow | undefined {
  try {
    const parsed: unknown = JSON.parse(line)
    if (typeof parsed !== "object" || parsed === null) return undefined
    // Whether it has these fields is found by comparing, and by its hash.
    const row = parsed as AuditRow
    const known = { ...hashedFields(row), hash: row.hash }
    return canonical(known) === canonical(parsed) && Number.isInteger(row.position) ? rawRow(row) : undefined
  } catch {
    return undefined
  }
}

function parseBegin(line: string): ExportBegin {
  try {
    const parsed: unknown = JSON.parse(line)
    // Its parts are compared and checked by signature; only what is read before that is looked at here.
    const begin = parsed as ExportBegin
    const isBegin =
      begin.format === EXPORT_FORMAT &&
      typeof begin.tenant === "string" &&
      isPlace(begin.after.position, begin.after.hash) &&
      isPlace(begin.head.position, begin.head.hash) &&
      isPlace(begin.head.basePosition, begin.head.baseHash)
    if (isBegin) return begin
  } catch {
    // Answered below.
  }
  throw new FleetPromptError(
    "data_invalid",
    `expected an export of an audit log, which begins with a line of the format ${EXPORT_FORMAT}, got something else; make one with: fleetprompt audit export`,
  )
}

function isPlace(position: unknown, hash: unknown): boolean {
  return Number.isSafeInteger(position) && Number(position) >= 0 && typeof hash === "string"
}

/** The lines of a text that comes in pieces, without their ends; empty ones are left out. */
async function* linesOf(pieces: AsyncIterable<string | Uint8Array>): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder()
  let rest = ""
  for await (const piece of pieces) {
    rest += typeof piece === "string" ? piece : decoder.decode(piece, { stream: true })
    const lines = rest.split("\n")
    rest = lines.pop() ?? ""
    if (rest.length > MAX_LINE)
      throw new FleetPromptError("data_invalid", "expected lines of an audit log, got one without an end")
    yield* lines.filter((line) => line !== "")
  }
  if (rest !== "") yield rest
}
