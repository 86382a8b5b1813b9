import type { Replacement } from "./json.ts"
import type { Signal } from "./signal.ts"

/**
 * Who may read a signal: every member of the tenant, or only its admins and owners.
 */
export type Visibility = "internal" | "admin_only"

/** What the platform knows about a signal besides its content. Kept as one JSON object beside it. */
export interface SignalMetadata {
  /** Version of the schema of `data`. Default 1. */
  readonly schema_version: number
  /** Shared by all signals of one cause; the first one's id by default. */
  readonly correlation_id: string
  /** Id of the signal that caused this one. */
  readonly causation_id: string | null
  /** How many handlers stand between it and the first signal of its cause. Absent for one that no handler emitted. */
  readonly hops?: number
  /** W3C trace id, 32 hex digits. */
  readonly trace_id?: string
  /** W3C span id, 16 hex digits. */
  readonly span_id?: string
  /** Who did it. */
  readonly actor_user_id?: string
  /** The role that person had then. */
  readonly actor_role?: string
  /** Where content was replaced by a marker before it was stored, and by which rule. */
  readonly redactions?: readonly Replacement[]
}

/** A signal as the store has it. Its own attributes have names that no CloudEvents extension can have or may take. */
export interface StoredSignal<Data = unknown> extends Signal<Data> {
  /** Slug of the tenant that owns it. */
  readonly tenant: string
  readonly metadata: SignalMetadata
  readonly visibility: Visibility
  /** The key under which the tenant has this fact once. */
  readonly dedupeKey: string | null
  /** The provider's id of the event; unique together with `source`. */
  readonly sourceEventId: string | null
}
