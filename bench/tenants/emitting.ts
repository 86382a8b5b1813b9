import { setTimeout as sleep } from "node:timers/promises"
import type { Fleet } from "../../src/fleetprompt.ts"

/** What is emitted while tenants are migrated. */
export const TICK = "bench.tick"

/** What became of the emits of one process. */
export interface Emitted {
  /** Answered with success, by tenant. */
  readonly acknowledged: ReadonlyMap<string, number>
  readonly failures: readonly string[]
  readonly latenciesMs: readonly number[]
}

/** Emits steadily to tenants in turn until it is ended. */
export interface Emitting {
  readonly end: () => Promise<Emitted>
}

/** Begins to emit so many signals a second, each to the next tenant. */
export function beginEmitting(fleet: Fleet, slugs: readonly string[], perSecond: number): Emitting {
  const acknowledged = new Map<string, number>()
  const failures: string[] = []
  const latenciesMs: number[] = []
  const underWay = new Set<Promise<void>>()
  const halt = new AbortController()
  const emitOne = async (slug: string): Promise<void> => {
    const startedAt = performance.now()
    try {
      await fleet.tenant(slug).emit(TICK, { at: startedAt })
      acknowledged.set(slug, (acknowledged.get(slug) ?? 0) + 1)
    } catch (error) {
      failures.push(`${slug}: ${error instanceof Error ? error.message : String(error)}`)
    }
    latenciesMs.push(performance.now() - startedAt)
  }
  const run = async (): Promise<void> => {
    const startedAt = performance.now()
    for (let sent = 0; !halt.signal.aborted; sent++) {
      const dueAt = startedAt + (sent * 1_000) / perSecond
      if (dueAt > performance.now()) await sleep(dueAt - performance.now())
      // There is one at least.
      const emit = emitOne(slugs[sent % slugs.length] as string)
      underWay.add(emit)
      void emit.finally(() => underWay.delete(emit))
    }
  }
  const running = run()
  return {
    end: async () => {
      halt.abort()
      await running
      await Promise.all(underWay)
      return { acknowledged, failures, latenciesMs }
    },
  }
}
