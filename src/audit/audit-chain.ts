import { createHash } from "node:crypto"
import canonicalize from "canonicalize"
import type { AuditEntryRecord } from "../store/audit-intake.ts"
import { type AuditRow, detailsOf, type RawAuditRow } from "../store/audit-log.ts"

/** Hash that stands before the first row of a chain. */
export const NO_HASH: string = "0".repeat(64)

/** A place in a chain: a row's position, and its hash. */
export interface ChainPlace {
  readonly position: number
  readonly hash: string
}

/** The place before the first row. */
export const CHAIN_START: ChainPlace = Object.freeze({ position: 0, hash: NO_HASH })

/**
 * SHA-256 of a row with its tenant, position and the hash of the row before, as RFC 8785 writes them. Every column is in
 * it but the hash itself.
 */
export function hashRow(tenant: string, row: Omit<AuditRow, "hash">): string {
  return createHash("sha256")
    .update(canonical({ tenant, ...hashedFields(row) }))
    .digest("hex")
}

/** The fields of a row that its hash is over, besides the tenant. */
export function hashedFields(row: Omit<AuditRow, "hash">): Omit<AuditRow, "hash"> {
  return {
    position: row.position,
    previousHash: row.previousHash,
    id: row.id,
    occurredAt: row.occurredAt,
    actorKind: row.actorKind,
    actorId: row.actorId,
    actorRole: row.actorRole,
    action: row.action,
    resource: row.resource,
    outcome: row.outcome,
    details: row.details,
    correlationId: row.correlationId,
  }
}

/** Gives entries their places behind a place. */
export function linkEntries(
  tenant: string,
  after: ChainPlace,
  entries: readonly AuditEntryRecord[],
): readonly AuditRow[] {
  let last = after
  return entries.map((entry) => {
    const unhashed = { ...entry, position: last.position + 1, previousHash: last.hash }
    const row = { ...unhashed, hash: hashRow(tenant, unhashed) }
    last = row
    return row
  })
}

/** A row as it is written: its details are canonical JSON, which the table keeps letter by letter. */
export function rawRow(row: AuditRow): RawAuditRow {
  return { ...row, details: row.details === null ? null : canonical(row.details) }
}

/**
 * A row as it was read.
 *
 * @returns undefined when its details are not what was written: other letters that mean the same are a change too.
 */
export function readRow(raw: RawAuditRow): AuditRow | undefined {
  try {
    const row = { ...raw, details: detailsOf(raw) }
    return rawRow(row).details === raw.details ? row : undefined
  } catch {
    // What cannot be written canonically was not written by us.
    return undefined
  }
}

/** Whether a row holds what it was hashed over. */
export function isIntact(tenant: string, row: AuditRow): boolean {
  return hashRow(tenant, row) === row.hash
}

/** JSON as RFC 8785 writes it. */
export function canonical(value: unknown): string {
  // JSON always has a text.
  return canonicalize(value) ?? "null"
}
