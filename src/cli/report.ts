import type { Tenant } from "../tenants/tenant.ts"
import type { CommandContext } from "./command-context.ts"
import type { FeedReport } from "./feed-demo.ts"
import { table } from "./terminal.ts"

const POLL_MS = 100

/** Waits until every delivery of the tenant is settled, then prints what there is: a table, or one JSON object. */
export async function reportOnce(
  tenant: Tenant,
  fed: FeedReport | undefined,
  json: boolean,
  context: CommandContext,
): Promise<void> {
  await settled(tenant, context)
  if (context.stop.aborted) return
  const { signals, done, failed, dead } = await tenant.counts()
  const report = {
    signals,
    duplicates: fed?.duplicates ?? 0,
    deliveries: { done, failed, dead },
    deepestChain: await tenant.deepestChain(),
    elapsedMs: Math.round(performance.now()),
  }
  context.output(json ? JSON.stringify(report) : printed(report))
  if (fed && fed.refused.length > 0) process.exitCode = 1
}

async function settled(tenant: Tenant, { stop, terminal }: CommandContext): Promise<void> {
  for (;;) {
    const open = await tenant.openDeliveries()
    if (open === 0 || stop.aborted) return
    terminal.progress(`  waiting for ${open} deliveries`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

interface Report {
  readonly signals: number
  readonly duplicates: number
  readonly deliveries: { readonly done: number; readonly failed: number; readonly dead: number }
  readonly deepestChain: number
  readonly elapsedMs: number
}

function printed({ signals, duplicates, deliveries, deepestChain, elapsedMs }: Report): string {
  return table([
    ["signals in the store", signals],
    ["duplicates refused in this run", duplicates],
    ["deliveries done", deliveries.done],
    ["attempts failed and tried again", deliveries.failed],
    ["deliveries dead", deliveries.dead],
    ["signals in the longest causal chain", deepestChain],
    ["elapsed, milliseconds", elapsedMs],
  ])
}
