import { randomUUID } from "node:crypto"
import { type Content, hashOf } from "./content.ts"
import type { CallEnd, Ledger } from "./ledger.ts"

/** What was sent, for the ledger. */
export interface SentContent extends Content {
  readonly tenant: string
}

/**
 * Notes a call after it ended well, for doors that are tried with what the ledger cannot hold. A call that was refused
 * is not noted, so that I1 finds it when it was stored all the same.
 */
export function noteStored(ledger: Ledger, sent: SentContent, signalId: string): Promise<void> {
  return note(ledger, sent, { outcome: "ok", signalId, inserted: true })
}

/** Notes a call whose caller was told that the database was away. */
export function noteUnknown(ledger: Ledger, sent: SentContent): Promise<void> {
  return note(ledger, sent, { outcome: "unknown" })
}

async function note(ledger: Ledger, { tenant, ...content }: SentContent, end: CallEnd): Promise<void> {
  const callId = randomUUID()
  await ledger.callBegins({ callId, tenant, type: content.type, key: null, hash: hashOf(content) })
  await ledger.callEnded(callId, end)
}
