import type { AuditHeadRecord } from "../store/audit-log.ts"
import { canonical, CHAIN_START, type ChainPlace } from "./audit-chain.ts"
import type { AuditSigner, AuditVerifier } from "./audit-keys.ts"

/**
 * Where a log's chain begins and ends, and the signature over that. Kept elsewhere it is an anchor: whoever has one can
 * show later that nothing up to its position was changed since.
 */
export interface AuditHead extends AuditHeadRecord {
  /** Slug of the tenant, or `*` for the platform's own log. */
  readonly tenant: string
}

/** Says what is signed, so that a signature made for it fits nothing else. */
const FORMAT = "fleetprompt.audit-head.1"

/** What a head says, before it is signed. */
export interface HeadContent {
  readonly tenant: string
  /** The last row that was archived and pruned. Default: none was. */
  readonly base?: ChainPlace
  /** The last row. Default: there is none. */
  readonly last?: ChainPlace
  /** RFC 3339 with milliseconds. */
  readonly now: string
}

/** A head, signed where there is a signer. */
export function makeHead(
  { tenant, base = CHAIN_START, last = CHAIN_START, now }: HeadContent,
  signer: AuditSigner | undefined,
): AuditHead {
  const unsigned: AuditHead = {
    tenant,
    basePosition: base.position,
    baseHash: base.hash,
    position: last.position,
    hash: last.hash,
    signedAt: now,
    keyId: signer?.keyId ?? null,
    signature: null,
  }
  return signer ? { ...unsigned, signature: signer.sign(signedText(unsigned)) } : unsigned
}

/** How a head's signature stands: unsigned, one of a key that is not trusted, wrong, or good. */
export type HeadState = "good" | "unsigned" | "unknown_key" | "forged"

/** Checks a head's signature. */
export function checkHead(head: AuditHead, verifier: AuditVerifier): HeadState {
  if (head.keyId === null || head.signature === null) return "unsigned"
  const verdict = verifier.check(signedText(head), head.keyId, head.signature)
  if (verdict === "good") return "good"
  return verdict === "bad" ? "forged" : "unknown_key"
}

/** The places that a head names. */
export function placesOf(head: AuditHeadRecord): { readonly base: ChainPlace; readonly last: ChainPlace } {
  return {
    base: { position: head.basePosition, hash: head.baseHash },
    last: { position: head.position, hash: head.hash },
  }
}

function signedText({ tenant, basePosition, baseHash, position, hash, signedAt, keyId }: AuditHead): string {
  return canonical({ format: FORMAT, tenant, basePosition, baseHash, position, hash, signedAt, keyId })
}
