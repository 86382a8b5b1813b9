import type { JsonObject } from "../../../src/signal/json.ts"

/** What a handler does at an attempt. */
export type Behaviour = "ok" | "slow" | "throw" | "hang" | "snooze" | "cancel" | "fatal"

/** Data of every signal that the script emits. */
export interface FactData extends JsonObject {
  /** Another number for each fact; calls that tell the same fact have the same. */
  readonly fact: number
  /** Whose it is, to see it where it does not belong. */
  readonly owner: string
  /** What the handler of the type does at the first attempt, the second and so on; after the last it succeeds. */
  readonly plan: readonly Behaviour[]
}

/** A signal as a caller gives it. */
export interface Item {
  readonly type: string
  readonly subject: string
  readonly data: FactData
  readonly dedupeKey?: string
  readonly onConflict?: "existing"
}

/** What a caller was answered for one item. */
export interface Answer {
  readonly id: string
  readonly inserted: boolean
}

/** How a call ended. unknown: nothing was heard, or an error that says nothing of what was stored. */
export type CallOutcome = "unknown" | "stored" | "conflict" | "rolled back" | "failed"

/** One call of emit, noted before it is made. */
export interface EmitCall {
  readonly n: number
  readonly caller: string
  readonly tenant: string
  readonly items: readonly Item[]
  outcome: CallOutcome
  answers: readonly Answer[]
  error: string
}

/** One call of a handler for one delivery, noted before anything is done. */
export interface Invocation {
  /** The process, as attempts name it. */
  readonly worker: string
  readonly tenant: string
  readonly signalId: string
  readonly handler: string
  readonly attempt: number
  readonly startedAt: number
  /** Undefined while it runs, and for good when its process was killed or it hangs. */
  endedAt: number | undefined
  result: "done" | "snoozed" | "cancelled" | "threw" | undefined
}

/** A signal that a handler emitted, as it was told. */
export interface ChildCall {
  readonly tenant: string
  readonly causeId: string
  readonly handler: string
  readonly type: string
  id: string | undefined
}

/** What a reader of a tenant's signals saw. */
export interface Seen {
  readonly id: string
  readonly cursor: string
}

/** What a process told of an attempt. */
export interface Told {
  readonly worker: string
  readonly tenant: string
  readonly signalId: string
  readonly handler: string
  readonly attempt: number
  /** Undefined: another worker had taken it over. */
  readonly outcome: string | undefined
}

/** What happened, as those outside of the product saw it. */
export class Ledger {
  readonly calls: EmitCall[] = []
  readonly invocations: Invocation[] = []
  readonly children: ChildCall[] = []
  readonly told: Told[] = []
  /** What a process did that had been told to stop, and should not have done. */
  readonly badStops: string[] = []
  /** What the reader of a tenant's signals dealt with, in order. */
  readonly seen: Seen[] = []

  call(caller: string, tenant: string, items: readonly Item[]): EmitCall {
    const call: EmitCall = {
      n: this.calls.length + 1,
      caller,
      tenant,
      items,
      outcome: "unknown",
      answers: [],
      error: "",
    }
    this.calls.push(call)
    return call
  }

  /** How often a delivery's handler has asked to be called later. */
  snoozes(signalId: string, handler: string): number {
    return this.invocations.filter(
      (each) => each.signalId === signalId && each.handler === handler && each.result === "snoozed",
    ).length
  }
}
