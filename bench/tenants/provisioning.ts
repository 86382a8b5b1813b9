import type { Fleet } from "../../src/fleetprompt.ts"
import { percentile } from "../durable/statistics.ts"
import { tellProgress } from "./progress.ts"

/** How long many of something took. */
export interface Times {
  readonly count: number
  readonly totalMs: number
  readonly p50Ms: number
  readonly p95Ms: number
  readonly maxMs: number
}

/** Sums up durations. */
export function timesOf(durations: readonly number[], totalMs: number): Times {
  const at = (share: number): number => round(percentile(durations, share) ?? 0)
  return { count: durations.length, totalMs: Math.round(totalMs), p50Ms: at(0.5), p95Ms: at(0.95), maxMs: at(1) }
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10
}

/** Provisions tenants, so many at once. */
export async function provisionAll(fleet: Fleet, slugs: readonly string[], atOnce: number): Promise<Times> {
  const startedAt = performance.now()
  const durations: number[] = []
  const left = slugs.values()
  const provisionNext = async (): Promise<void> => {
    for (const slug of left) {
      const beganAt = performance.now()
      await fleet.tenants.provision(slug)
      durations.push(performance.now() - beganAt)
      tellProgress("provisioned", durations.length, slugs.length, performance.now() - startedAt)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, provisionNext))
  return timesOf(durations, performance.now() - startedAt)
}
