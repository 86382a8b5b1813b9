import { afterAll, beforeAll, expect, test } from "vitest"
import { tenantOf } from "../../test/support/tenant-rows.ts"
import { type TestDatabase, testDatabase } from "../../test/support/test-database.ts"
import { isFleetPromptError } from "../errors.ts"
import { Placements } from "../store/placements.ts"
import { Credentials } from "./credentials.ts"
import { KeyRing } from "./key-ring.ts"
import { createLocalKey, formatKeys, localKeys } from "./local-keys.ts"
import type { CredentialRefresher, Refreshed } from "./refresh.ts"

let opened: TestDatabase

beforeAll(async () => {
  opened = await testDatabase()
})
afterAll(() => opened.close())

const ada = { kind: "user", id: "ada" } as const
const KEYS = formatKeys([createLocalKey()])
const HOUR_MS = 3_600_000

interface Provider {
  readonly refresher: CredentialRefresher
  /** What it was asked with, in order. */
  readonly asked: unknown[]
  /** How many were asked at once, at most. */
  readonly atOnce: () => number
}

/** A provider that numbers what it gives. */
function provider(answer: (call: number) => Refreshed | Promise<Refreshed>): Provider {
  const asked: unknown[] = []
  let [now, most] = [0, 0]
  const refresh: CredentialRefresher["refresh"] = async (secret, { abort: _, ...context }) => {
    asked.push({ secret, ...context })
    now += 1
    most = Math.max(most, now)
    // Others get their turn before it answers.
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    now -= 1
    return answer(asked.length)
  }
  return { refresher: { provider: "oauth", refresh }, asked, atOnce: () => most }
}

function refreshed(call: number, expiresInMs = HOUR_MS): Refreshed {
  return {
    kind: "refreshed",
    secret: { access: `a${call}`, refresh: `r${call}` },
    expiresAt: new Date(Date.now() + expiresInMs),
  }
}

let processes = 0

/** What one process of a fleet has. */
function process(...refreshers: readonly CredentialRefresher[]): Credentials {
  const { database } = opened
  const ring = new KeyRing(database, localKeys(KEYS))
  processes += 1
  return new Credentials({ database, placements: new Placements(database), ring, worker: `w${processes}`, refreshers })
}

async function stored(
  credentials: Credentials,
  slug: string,
  expiresInMs: number,
  kind: "oauth2" | "custom" = "oauth2",
) {
  const secret = { access: "a0", refresh: "r0" }
  const expiresAt = new Date(Date.now() + expiresInMs)
  const input = { provider: "oauth", account: "octokit", kind, secret, scopes: ["repo"], expiresAt }
  return (await credentials.create(slug, input, ada)).id
}

async function used(credentials: Credentials, slug: string, id: string): Promise<string> {
  try {
    return (await credentials.use(slug, id, { actor: ada })).reveal("access")
  } catch (error) {
    return isFleetPromptError(error) ? error.code : String(error)
  }
}

test("a secret that is about to expire, or has, is made new before it is given out", async () => {
  const { slug } = await tenantOf(opened.database, "own")
  const { refresher, asked } = provider((call) => refreshed(call, call === 1 ? 10_000 : HOUR_MS))
  const credentials = process(refresher)
  const id = await stored(credentials, slug, -1_000)
  expect(await used(credentials, slug, id)).toBe("a1")
  expect(await used(credentials, slug, id)).toBe("a2")
  expect(await used(credentials, slug, id)).toBe("a2")
  const asking = { tenant: slug, id, account: "octokit", scopes: ["repo"] }
  expect(asked).toEqual([
    { ...asking, secret: { access: "a0", refresh: "r0" } },
    { ...asking, secret: { access: "a1", refresh: "r1" } },
  ])
  expect(await credentials.get(slug, id)).toMatchObject({ version: 3, status: "active", scopes: ["repo"] })
})

test("of many uses in several processes one asks the provider, and all get the new secret", async () => {
  const { slug } = await tenantOf(opened.database, "own")
  const { refresher, asked, atOnce } = provider((call) => refreshed(call))
  const all = [process(refresher), process(refresher), process(refresher)]
  const id = await stored(all[0] ?? process(), slug, -1_000)
  const secrets = await Promise.all(all.flatMap((each) => Array.from({ length: 20 }, () => used(each, slug, id))))
  expect(new Set(secrets)).toEqual(new Set(["a1"]))
  expect([asked.length, atOnce()]).toEqual([1, 1])
})

test("while another process refreshes it, one that is still good is used", async () => {
  const { slug } = await tenantOf(opened.database, "own")
  let answer: (answer: Refreshed) => void = () => {}
  let asked: () => void = () => {}
  const isAsked = new Promise<void>((resolve) => (asked = resolve))
  const slow: CredentialRefresher = {
    provider: "oauth",
    refresh: () => {
      asked()
      return new Promise((resolve) => (answer = resolve))
    },
  }
  const [here, there] = [process(slow), process(slow)]
  const id = await stored(here, slug, 30_000)
  const waiting = used(here, slug, id)
  await isAsked
  expect(await used(there, slug, id)).toBe("a0")
  answer(refreshed(1))
  expect(await waiting).toBe("a1")
})

test("one that the provider refuses is not given out until it has another secret; the reason is kept without secrets", async () => {
  const { slug } = await tenantOf(opened.database, "own")
  const { refresher, asked } = provider(() => ({
    kind: "refused",
    reason: "invalid_grant for token r0-and-more: revoked by its owner",
  }))
  const credentials = process(refresher)
  const secret = { access: "a0", refresh: "r0-and-more" }
  const expiresAt = new Date(Date.now() + 1_000)
  const { id } = await credentials.create(
    slug,
    { provider: "oauth", account: "x", kind: "oauth2", secret, expiresAt },
    ada,
  )
  expect([await used(credentials, slug, id), await used(credentials, slug, id)]).toEqual([
    "credential_unusable",
    "credential_unusable",
  ])
  expect(asked).toHaveLength(1)
  const problem = "invalid_grant for token [redacted:credential]: revoked by its owner"
  expect(await credentials.get(slug, id)).toMatchObject({ status: "error", problem })
  await credentials.replace(slug, id, { secret: { access: "new" }, expiresAt: null }, ada)
  expect(await used(credentials, slug, id)).toBe("new")
  expect(await credentials.get(slug, id)).toMatchObject({ status: "active", problem: null })
})

test("a failure that passes does not end a secret that is still good, and is tried again", async () => {
  const { slug } = await tenantOf(opened.database, "own")
  const { refresher } = provider((call) => (call === 1 ? Promise.reject(new Error("ECONNRESET")) : refreshed(call)))
  const credentials = process(refresher)
  const id = await stored(credentials, slug, 30_000)
  expect(await used(credentials, slug, id)).toBe("a0")
  expect(await used(credentials, slug, id)).toBe("a2")
})

test("a secret that was replaced or revoked during a refresh stays replaced or revoked", async () => {
  const { slug } = await tenantOf(opened.database, "own")
  const during: (() => Promise<unknown>)[] = []
  const { refresher } = provider(async (call) => {
    await during.shift()?.()
    return refreshed(call)
  })
  const credentials = process(refresher)
  const id = await stored(credentials, slug, 30_000)
  during.push(() => credentials.replace(slug, id, { secret: { access: "by a person" }, expiresAt: null }, ada))
  expect(await used(credentials, slug, id)).toBe("by a person")
  await credentials.replace(slug, id, { secret: { access: "again" }, expiresAt: new Date(Date.now() + 1_000) }, ada)
  during.push(() => credentials.revoke(slug, id, ada))
  expect(await used(credentials, slug, id)).toBe("credential_unusable")
  expect(await credentials.get(slug, id)).toMatchObject({ status: "revoked" })
})

test("another kind, another provider and one with time enough are left alone", async () => {
  const { slug } = await tenantOf(opened.database, "own")
  const { refresher, asked } = provider((call) => refreshed(call))
  const credentials = process(refresher)
  expect(await used(credentials, slug, await stored(credentials, slug, 30_000, "custom"))).toBe("a0")
  expect(await used(credentials, slug, await stored(credentials, slug, HOUR_MS))).toBe("a0")
  expect(asked).toEqual([])
})
