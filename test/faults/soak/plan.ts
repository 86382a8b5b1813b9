import type { Load } from "../load.ts"

/** Ten tenants with a schema of their own, ten in the shared one. */
export const TENANTS = {
  own: Array.from({ length: 10 }, (_, n) => `own${n}`),
  shared: Array.from({ length: 10 }, (_, n) => `shared${n}`),
} as const
const tenants = [...TENANTS.own, ...TENANTS.shared]

/** Those whose signals somebody follows from the first to the last: name of the subscriber, tenant and pattern. */
export const FOLLOWED: readonly { readonly name: string; readonly tenant: string; readonly pattern?: string }[] = [
  { name: "all-own", tenant: "own0" },
  { name: "all-shared", tenant: "shared0" },
  { name: "some-own", tenant: "own1", pattern: "order.**" },
  { name: "some-shared", tenant: "shared1", pattern: "*.made" },
]

export const SOAK_HANDLERS = { set: "soak" } as const

/** Whose takeover is measured: nothing but the lease keeps these waiting. */
export const PLAIN_HANDLERS: readonly string[] = [
  "order.work",
  "fan.first",
  "fan.second",
  "fan.third",
  "parent.split",
  "child.keep",
  "slow.work",
]

/** The only one that gives up now and then, by its own wish. */
export const DYING_HANDLER = "flaky.call"

/** Of each type so many in turn: those with limits or an order cost a transaction each to claim. */
const SHARES = {
  order: 40,
  fan: 6,
  page: 4,
  line: 2,
  flaky: 2,
  parent: 2,
  cart: 1,
  mail: 1,
  account: 1,
  slow: 1,
  remind: 1,
} as const

/** Their number, 61, has no factor in common with that of the tenants, so that each tenant gets each type. */
const types = Object.entries(SHARES).flatMap(([name, share]) => Array.from({ length: share }, () => `${name}.made`))

const common = { tenants, types, keyed: 0.3, duplicates: 0.05, dataBytes: 100 } as const

/** What one process emits all the time. With bursts and what handlers emit it comes to about 340 signals a second. */
export const STEADY: Load = { ...common, callers: 32, perSecond: 240, subjects: 11 }

/** What each worker emits besides, which its own handlers are handed with the commit. */
export const OF_A_WORKER: Load = { ...common, callers: 4, perSecond: 10, subjects: 2 }

/** What is made up for in bursts, in calls for fifty signals each. */
export const BURSTS: Load = { tenants, types, callers: 4, perSecond: 33, batch: 50, subjects: 2, dataBytes: 100 }

/** How often there is a burst, and for how long it may go on at most, milliseconds. */
export const BURST = { everyMs: 60_000, forMs: 10_000 } as const

/** How many processes run handlers; the first is never killed, so that its memory tells of all the time. */
export const WORKERS = 4

/** One fault so often, milliseconds. */
export const FAULT_EVERY_MS = 5_000
/** Postgres is restarted at most so often, milliseconds. */
export const RESTART_EVERY_MS = 120_000
/** The idle transaction begins after this share of the time and lasts for this share: of an hour, ten minutes. */
export const IDLE = { from: 1 / 3, share: 1 / 6 } as const
