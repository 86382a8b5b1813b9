import { makeApiKey } from "../../src/access/api-key-text.ts"
import type { Fleet } from "../../src/fleet.ts"

/** How many keys one process checks. */
export interface KeyFigures {
  readonly keys: number
  /** By kind of check. */
  readonly perSecond: Readonly<Record<string, number>>
}

/** Checks that are under way at once, as many requests are. */
const AT_ONCE = 64

/** Checks keys of a tenant, and others. */
export async function measureKeys(fleet: Fleet, count: number, seconds: number): Promise<KeyFigures> {
  await fleet.tenants.provision("bench_keys")
  const { apiKeys } = fleet.tenant("bench_keys")
  const owner = { kind: "host", id: "bench" } as const
  const keys: string[] = []
  for (let n = 0; n < Math.min(count, 1_000); n++)
    keys.push((await apiKeys.create({ name: `key ${n}`, role: "member", owner, scopes: ["signals:read"] })).key)
  const unknown = Array.from({ length: 200_000 }, () => makeApiKey("bench").text)
  const first = await timed(keys, keys.length, (key) => fleet.apiKeys.check(key))
  const remembered = await repeated(keys, seconds, (key) => fleet.apiKeys.check(key, "192.0.2.1"))
  const mistyped = await repeated(
    keys.map((key) => `${key.slice(0, -1)}${key.endsWith("a") ? "b" : "a"}`),
    seconds,
    (key) => fleet.apiKeys.check(key),
    false,
  )
  const strange = await timed(unknown, 100_000, (key) => fleet.apiKeys.check(key), false)
  return {
    keys: keys.length,
    perSecond: {
      "remembered, 64 at once": remembered,
      "not remembered, 64 at once": first,
      "mistyped (no database)": mistyped,
      "unknown, each another (database)": strange,
    },
  }
}

async function repeated(
  keys: readonly string[],
  seconds: number,
  check: (key: string) => Promise<unknown>,
  isKnown = true,
): Promise<number> {
  const until = performance.now() + seconds * 1_000
  let done = 0
  const start = performance.now()
  const caller = async (from: number): Promise<void> => {
    for (let n = from; performance.now() < until; n++, done++)
      if (((await check(keys[n % keys.length] ?? "")) !== undefined) !== isKnown) throw new Error("a wrong answer")
  }
  await Promise.all(Array.from({ length: AT_ONCE }, (_, n) => caller(n * 7)))
  return Math.round(done / ((performance.now() - start) / 1_000))
}

async function timed(
  keys: readonly string[],
  count: number,
  check: (key: string) => Promise<unknown>,
  isKnown = true,
): Promise<number> {
  let next = 0
  const start = performance.now()
  const caller = async (): Promise<void> => {
    while (next < count)
      if (((await check(keys[next++ % keys.length] ?? "")) !== undefined) !== isKnown) throw new Error("a wrong answer")
  }
  await Promise.all(Array.from({ length: AT_ONCE }, caller))
  return Math.round(count / ((performance.now() - start) / 1_000))
}
