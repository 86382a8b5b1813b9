import { setTimeout as wait } from "node:timers/promises"
import type { Handler, HandlerContext } from "../../../src/delivery/handler-definition.ts"
import { cancel } from "../../../src/delivery/outcome.ts"
import { markerOf } from "../ledger/content.ts"
import { type HandlerSet, recordedHandler } from "./recorded.ts"

/** More than kills and faults of an hour can use up, so that only what is meant to die does. */
const retry = { attempts: 50, backoff: { firstMs: 200, longestMs: 2_000 } }

/** An error that is not worth another attempt. */
class Doomed extends Error {}

/** What loads put into their data. */
interface LoadData {
  readonly n: number
}

function numberOf({ signal }: HandlerContext): number {
  return (signal.data as unknown as LoadData).n
}

/**
 * Handlers of all kinds, each on the type that its name begins with: plain, three of one type, in order, in batches,
 * debounced, limited by rate and by key, late, failing now and then, dying now and then, emitting, slow, and one that
 * blocks the event loop for the `ms` of its data in its first attempt. Whether one fails goes by the data's number.
 */
export const handlers: HandlerSet = (given) => {
  // Millions of points would pile up at the driver.
  const tools = { ...given, pass: async () => {} }
  return [
    recordedHandler(tools, { name: "order.work", on: "order.made", retry }),
    recordedHandler(tools, { name: "fan.first", on: "fan.made", retry }),
    recordedHandler(tools, { name: "fan.second", on: "fan.made", retry }),
    recordedHandler(tools, { name: "fan.third", on: "fan.*", retry }),
    recordedHandler(tools, { name: "line.book", on: "line.made", retry, ordered: "subject", run: failNowAndThen }),
    recordedHandler(tools, { name: "page.index", on: "page.made", retry, batch: { size: 50, waitMs: 200 } }),
    recordedHandler(tools, { name: "cart.count", on: "cart.made", retry, debounce: { quietMs: 2_000, maxMs: 10_000 } }),
    recordedHandler(tools, { name: "mail.send", on: "mail.made", retry, rateLimit: { limit: 2, perMs: 1_000 } }),
    recordedHandler(tools, {
      name: "account.change",
      on: "account.made",
      retry,
      concurrency: { perKey: 1, global: 40 },
      run: () => wait(20),
    }),
    recordedHandler(tools, {
      name: "flaky.call",
      on: "flaky.made",
      retry: { ...retry, when: (error) => !(error instanceof Doomed) },
      run: failOrDie,
    }),
    recordedHandler(tools, { name: "parent.split", on: "parent.made", retry, run: emitChildren }),
    recordedHandler(tools, { name: "child.keep", on: "child.made", retry, run: cancelNowAndThen }),
    recordedHandler(tools, { name: "slow.work", on: "slow.made", retry, run: takeLong }),
    recordedHandler(tools, { name: "remind.send", on: "remind.made", retry, delayMs: 3_000, priority: 50 }),
    blocking(recordedHandler(tools, { name: "loop.block", on: "block.made", retry })),
  ]
}

async function failNowAndThen(context: HandlerContext): Promise<void> {
  if (context.attempt <= (numberOf(context) % 20) - 17) throw new Error("not yet")
}

async function failOrDie(context: HandlerContext): Promise<void> {
  const n = numberOf(context)
  // It carries the tenant's marker into attempts and dead letters.
  if (n % 40 === 7) throw new Doomed(`no use for ${markerOf(context.tenant)}`)
  if (context.attempt <= n % 4) throw new Error(`failed for ${markerOf(context.tenant)}`)
}

async function emitChildren({ emit, tenant, signal }: HandlerContext): Promise<void> {
  for (const child of [1, 2]) await emit("child.made", { n: child, of: signal.id, marker: markerOf(tenant) })
}

function cancelNowAndThen(context: HandlerContext) {
  return context.signal.id.endsWith("0") ? cancel("nothing to keep") : undefined
}

/** Up to 13.6 s, so that whoever stood still comes back in the middle of the next one's run. */
async function takeLong(context: HandlerContext): Promise<void> {
  await wait(1_000 + 1_400 * (numberOf(context) % 10), undefined, { signal: context.abort })
}

function blocking(handler: Handler): Handler {
  return {
    ...handler,
    run: (context) => {
      const { ms } = context.signal.data as unknown as { readonly ms: number }
      if (context.attempt === 1) for (const until = performance.now() + ms; performance.now() < until;);
      return handler.run(context)
    },
  }
}
