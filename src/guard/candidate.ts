import type { Signal } from "../signal/signal.ts"
import type { SignalMetadata, Visibility } from "../signal/stored-signal.ts"

/** A signal on its way in: what a guard reads, and returns as it is or changed. */
export interface Candidate {
  /** Slug of the tenant. */
  readonly tenant: string
  readonly signal: Signal
  readonly metadata: SignalMetadata
  readonly visibility: Visibility
  readonly dedupeKey: string | null
  readonly sourceEventId: string | null
  /**
   * What to do with what looks like a secret: refuse the signal, or replace the value by a marker.
   * The second is for sources that cannot ask again, such as webhooks.
   */
  readonly onSecret: "refuse" | "redact"
}

/** A check before the store: takes a candidate, returns it or a changed one, or throws. Does no I/O. */
export type Guard = (candidate: Candidate) => Candidate
