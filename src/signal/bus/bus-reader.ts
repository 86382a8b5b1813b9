import type { BusLog, StartFrom } from "./bus-log.ts"
import type { Clock } from "../clock.ts"
import type { DispatchHookContext, DispatchOutcome, DispatchPath } from "../middleware/middleware.ts"
import type { HookChain } from "../middleware/middleware-chain.ts"
import { compilePattern } from "../pattern.ts"
import type { Signal } from "../signal.ts"

/** What to read of the log. */
export interface ReplayOptions {
  /** Which types. Default `**`, all. */
  readonly pattern?: string
  /** Where to start. Default "origin". */
  readonly from?: StartFrom
  /** Who reads, for middleware such as `authorise`. */
  readonly principal?: unknown
}

/** What the log holds of it, oldest first. It does not change any more. */
export interface Replay {
  readonly signals: readonly Signal[]
  /** Whether the log may have held more of what was asked for, which was overwritten since. */
  readonly truncated: boolean
}

/** What to take a picture of. */
export type SnapshotOptions = Omit<ReplayOptions, "from">

/** The signals held at one moment. It does not change any more. */
export interface Snapshot extends Replay {
  readonly pattern: string
  /** When it was taken, RFC 3339. */
  readonly time: string
  /** The number that the next signal published after it has. */
  readonly nextSequence: number
}

/** What a reader works with. */
export interface ReaderDeps {
  readonly log: BusLog
  readonly hooks: HookChain<DispatchHookContext, DispatchOutcome>
  readonly clock: Clock
}

/** Reads the log for a caller, through middleware. */
export class Reader {
  readonly #deps: ReaderDeps

  constructor(deps: ReaderDeps) {
    this.#deps = deps
  }

  async replay({ pattern = "**", from = "origin", principal }: ReplayOptions): Promise<Replay> {
    const { sequence, truncated } = this.#deps.log.position(from)
    const held = this.#held(pattern, sequence)
    const signals = await this.#throughHooks(held, this.#context("replay", pattern, principal))
    return Object.freeze({ signals, truncated })
  }

  async snapshot({ pattern = "**", principal }: SnapshotOptions): Promise<Snapshot> {
    const { log, clock } = this.#deps
    const { sequence, truncated } = log.position("origin")
    const nextSequence = log.next
    const time = new Date(clock.now()).toISOString()
    const held = this.#held(pattern, sequence)
    const signals = await this.#throughHooks(held, this.#context("snapshot", pattern, principal))
    return Object.freeze({ pattern, time, nextSequence, signals, truncated })
  }

  #held(pattern: string, start: number): readonly Signal[] {
    const { matches } = compilePattern(pattern)
    const held: Signal[] = []
    for (const { signal } of this.#deps.log.from(start)) if (matches(signal.type)) held.push(signal)
    return held
  }

  #context(path: DispatchPath, pattern: string, principal: unknown): DispatchHookContext {
    return { path, subscription: path, pattern, principal, attempt: 1 }
  }

  async #throughHooks(held: readonly Signal[], context: DispatchHookContext): Promise<readonly Signal[]> {
    if (this.#deps.hooks.isEmpty) return Object.freeze(held)
    const passed: Signal[] = []
    for (const signal of held) {
      const through = await this.#pass(signal, context)
      if (through) passed.push(through)
    }
    return Object.freeze(passed)
  }

  /** The signal for the reader, or nothing when middleware leaves it out. */
  async #pass(signal: Signal, context: DispatchHookContext): Promise<Signal | undefined> {
    const { hooks, clock } = this.#deps
    const startedAt = clock.now()
    const passage = await hooks.before(signal, context)
    const durationMs = clock.now() - startedAt
    switch (passage.stop?.kind) {
      case "halt":
        await hooks.after(passage, { kind: "halted", error: passage.stop.error, final: true, durationMs }, context)
        throw passage.stop.error
      case "skip":
        await hooks.after(passage, { kind: "skipped", reason: passage.stop.reason, durationMs }, context)
        return undefined
      case undefined:
        await hooks.after(passage, { kind: "delivered", durationMs }, context)
        return passage.signal
    }
  }
}
