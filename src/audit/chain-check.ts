import type { RawAuditRow } from "../store/audit-log.ts"
import { type ChainPlace, isIntact, readRow } from "./audit-chain.ts"
import { type AuditHead, checkHead } from "./audit-head.ts"
import type { AuditVerifier } from "./audit-keys.ts"

/** Something that is wrong with an audit log. */
export interface AuditFinding {
  /**
   * - edited: a row is not what it was when it got its hash
   * - relinked: a row does not follow the one before it
   * - missing: rows are not there, in between
   * - misplaced: a row stands twice, out of order, or before the first
   * - cut: rows at the end are not there
   * - added: there are rows behind the end
   * - replaced: the end is another than the head was signed for
   * - head_missing, head_unsigned, head_forged, head_unknown_key: the head is no proof
   * - anchor_invalid: an anchor is no proof, or is of another log
   * - anchor_broken: the log has other rows than when the anchor was made, or fewer
   * - stuck: entries have waited for their places for more than a minute
   */
  readonly kind:
    | "edited"
    | "relinked"
    | "missing"
    | "misplaced"
    | "cut"
    | "added"
    | "replaced"
    | "head_missing"
    | "head_unsigned"
    | "head_forged"
    | "head_unknown_key"
    | "anchor_invalid"
    | "anchor_broken"
    | "stuck"
  /** Of the row, or of the first of them; null where it is no row's. */
  readonly position: number | null
  readonly message: string
}

/** Findings that are kept; the others are counted. */
export const MAX_FINDINGS = 100

/** What is wrong, up to a limit. */
export class Findings {
  readonly #kept: AuditFinding[] = []
  #count = 0

  add(kind: AuditFinding["kind"], position: number | null, message: string): void {
    this.#count++
    if (this.#kept.length < MAX_FINDINGS) this.#kept.push({ kind, position, message })
  }

  /** The first of them. */
  get kept(): readonly AuditFinding[] {
    return this.#kept
  }

  /** All of them. */
  get count(): number {
    return this.#count
  }
}

/**
 * Walks along a chain, row by row, and notes what is wrong. It goes on behind a fault from what the row itself says, so
 * that one fault gives one finding or two and hides no other.
 */
export class ChainWalk {
  readonly #tenant: string
  readonly #findings: Findings
  readonly #anchors: ReadonlyMap<number, readonly AuditHead[]>
  #last: ChainPlace
  #checked = 0

  /** @param anchors heads that were kept elsewhere, already checked, whose rows are met on the way */
  constructor(tenant: string, base: ChainPlace, findings: Findings, anchors: readonly AuditHead[] = []) {
    this.#tenant = tenant
    this.#last = base
    this.#findings = findings
    this.#anchors = byPosition(anchors)
    this.#meetAnchors(base)
  }

  /** How many rows were looked at. */
  get checked(): number {
    return this.#checked
  }

  /** The row that was looked at last. */
  get last(): ChainPlace {
    return this.#last
  }

  /** Looks at the next row. */
  add(raw: RawAuditRow): void {
    this.#checked++
    const { position, hash, previousHash } = raw
    const follows = this.#follows(position)
    const row = readRow(raw)
    if (!row || !isIntact(this.#tenant, row)) this.#findings.add("edited", position, `row ${position} was changed`)
    else if (follows && previousHash !== this.#last.hash)
      this.#findings.add("relinked", position, `row ${position} does not follow the row before it`)
    this.#last = { position, hash }
    this.#meetAnchors(this.#last)
  }

  /** Compares where the walk came to with where the chain is said to end. */
  end(head: ChainPlace): void {
    const { position, hash } = this.#last
    if (position < head.position)
      this.#findings.add("cut", position + 1, `${span(position + 1, head.position)} missing at the end`)
    else if (position > head.position)
      this.#findings.add("added", head.position + 1, `${span(head.position + 1, position)} behind the end`)
    else if (hash !== head.hash)
      this.#findings.add("replaced", position, `row ${position} is not the one that the head was signed for`)
  }

  #follows(position: number): boolean {
    const expected = this.#last.position + 1
    if (position > expected) this.#findings.add("missing", expected, `${span(expected, position - 1)} missing`)
    if (position < expected) this.#findings.add("misplaced", position, `row ${position} stands out of order`)
    return position === expected
  }

  #meetAnchors({ position, hash }: ChainPlace): void {
    for (const anchor of this.#anchors.get(position) ?? []) {
      if (anchor.hash !== hash)
        this.#findings.add("anchor_broken", position, `row ${position} is another than when the anchor was made`)
    }
  }
}

function byPosition(anchors: readonly AuditHead[]): ReadonlyMap<number, readonly AuditHead[]> {
  const groups = new Map<number, AuditHead[]>()
  for (const anchor of anchors) groups.set(anchor.position, [...(groups.get(anchor.position) ?? []), anchor])
  return groups
}

function span(from: number, to: number): string {
  return from === to ? `row ${from} is` : `rows ${from} to ${to} are`
}

/** Notes what is wrong with a head's signature. */
export function noteHead(head: AuditHead, verifier: AuditVerifier, findings: Findings): void {
  switch (checkHead(head, verifier)) {
    case "good":
      return
    case "unsigned":
      if (verifier.trustsAny) findings.add("head_unsigned", null, "the head is not signed")
      return
    case "unknown_key":
      findings.add("head_unknown_key", null, `the head is signed by key ${head.keyId}, which is not trusted`)
      return
    case "forged":
      findings.add("head_forged", null, "the head's signature is wrong")
  }
}

/** Notes what is wrong with anchors by themselves, and returns the others. */
export function usableAnchors(
  tenant: string,
  anchors: readonly AuditHead[],
  verifier: AuditVerifier,
  findings: Findings,
): readonly AuditHead[] {
  return anchors.filter((anchor) => {
    const isGood = anchor.tenant === tenant && checkHead(anchor, verifier) === "good"
    if (!isGood)
      findings.add("anchor_invalid", anchor.position, `the anchor at row ${anchor.position} is no proof for this log`)
    return isGood
  })
}

/** Notes anchors of rows that the log does not reach. */
export function noteAnchorsBeyond(head: ChainPlace, anchors: readonly AuditHead[], findings: Findings): void {
  for (const { position } of anchors) {
    if (position > head.position)
      findings.add(
        "anchor_broken",
        position,
        `the log had ${position} rows when the anchor was made, now ${head.position}`,
      )
  }
}
