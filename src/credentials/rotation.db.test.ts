import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { testDatabase } from "../../test/support/test-database.ts"
import type { Database } from "../store/database.ts"
import { selectLatestKeyRotation } from "../store/key-ring.ts"
import { migrateControl } from "../store/migrate.ts"
import { Placements } from "../store/placements.ts"
import type { Placement } from "../store/tenant-scope.ts"
import { provisionTenant } from "../tenants/provision.ts"
import { Credentials } from "./credentials.ts"
import { keyFile } from "./key-file.ts"
import { KeyRing } from "./key-ring.ts"
import type { KeyService } from "./key-service.ts"
import { readKeyStatus } from "./key-status.ts"
import { createLocalKey, formatKeys, localKeys } from "./local-keys.ts"
import { removeKey, rotateKeys } from "./rotation.ts"

const ada = { kind: "operator", id: "ada" } as const

/** A database of the test's own: a rotation goes through every tenant. */
async function emptyDatabase(): Promise<Database> {
  const { database, close } = await testDatabase()
  onTestFinished(close)
  await migrateControl(database)
  return database
}

async function tempKeyFile(): Promise<KeyService & { readonly path: string }> {
  const folder = await mkdtemp(join(tmpdir(), "fleetprompt-keys-"))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, "keys")
  return { ...keyFile(path, { create: "when-missing" }), path }
}

function process(database: Database, service: KeyService) {
  const ring = new KeyRing(database, service)
  const placements = new Placements(database)
  return { database, ring, credentials: new Credentials({ database, placements, ring, worker: "w", refreshers: [] }) }
}

/** Tenants with credentials of which each secret tells where it belongs. */
async function fill(
  { database, credentials }: ReturnType<typeof process>,
  tenants: readonly (readonly [slug: string, placement: Placement, count: number])[],
): Promise<readonly { readonly slug: string; readonly id: string }[]> {
  const made: { slug: string; id: string }[] = []
  for (const [slug, placement, count] of tenants) {
    await provisionTenant(database, slug, { placement })
    for (let at = 0; at < count; at += 1) {
      const secret = { token: `${slug} ${at}` }
      const { id } = await credentials.create(slug, { provider: "p", account: `${at}`, kind: "api_key", secret }, ada)
      made.push({ slug, id })
    }
  }
  return made
}

async function secretsOf({ credentials }: ReturnType<typeof process>, made: Awaited<ReturnType<typeof fill>>) {
  const secrets: string[] = []
  for (const { slug, id } of made) secrets.push((await credentials.use(slug, id, { actor: ada })).reveal("token"))
  return secrets
}

const FLEET: readonly (readonly [string, Placement, number])[] = [
  ["acme", "own", 3],
  ["zeta", "shared", 2],
  ["eta", "shared", 110],
  ["none", "own", 0],
]

test("a rotation seals everything of all tenants by the new key; secrets and derived keys stay", async () => {
  const database = await emptyDatabase()
  const file = await tempKeyFile()
  const here = process(database, file)
  const made = await fill(here, FLEET)
  const old = await file.currentKeyId()
  const [before, derived] = [await secretsOf(here, made), await here.ring.derive("api_keys")]
  const progress: string[] = []
  const report = await rotateKeys(here, {
    actor: ada,
    onProgress: (done, total) => void progress.push(`${done}/${total}`),
  })
  expect(report).toMatchObject({ isNewKey: true, rewrapped: 115, unreadable: [], isStopped: false })
  expect(progress.at(0)).toBe("0/115")
  expect(progress.at(-1)).toBe("115/115")
  const status = await readKeyStatus(here)
  expect(status.currentKeyId).not.toBe(old)
  expect(status.pending).toBe(0)
  expect(status.keys.find(({ id }) => id === old)).toMatchObject({
    credentials: 0,
    sealsRoot: false,
    isRemovable: true,
    isInRing: true,
  })
  expect(status.latestRotation).toMatchObject({ status: "completed", rewrapped: 115 })
  await removeKey(here, old, ada)
  expect(await readFile(file.path, "utf8")).not.toContain(old)
  // A process that never saw the old key.
  const there = process(database, keyFile(file.path))
  expect(await secretsOf(there, made)).toEqual(before)
  expect(Buffer.from(await there.ring.derive("api_keys")).equals(derived)).toBe(true)
})

test("a rotation that was cut short goes on with the same key when it is run again", async () => {
  const database = await emptyDatabase()
  const file = await tempKeyFile()
  const here = process(database, file)
  const made = await fill(here, FLEET)
  const before = await secretsOf(here, made)
  const stop = new AbortController()
  const onProgress = (done: number): void => (done > 0 ? stop.abort() : undefined)
  const first = await rotateKeys(here, { actor: ada, onProgress, stop: stop.signal })
  expect(first.isStopped).toBe(true)
  const between = await readKeyStatus(here)
  expect(between.pending).toBeGreaterThan(0)
  expect(between.pending).toBeLessThan(115)
  expect(await secretsOf(process(database, file), made)).toEqual(before)
  const second = await rotateKeys(here, { actor: ada })
  expect(second).toMatchObject({ keyId: first.keyId, isNewKey: false, rewrapped: between.pending, isStopped: false })
  expect(await readKeyStatus(here)).toMatchObject({ pending: 0, latestRotation: { status: "completed" } })
  expect(await secretsOf(process(database, file), made)).toEqual(before)
})

test("several rotations at once, and secrets that are replaced meanwhile, harm nothing", async () => {
  const database = await emptyDatabase()
  const [one, two] = [createLocalKey(), createLocalKey()]
  const made = await fill(process(database, localKeys(formatKeys([one]))), FLEET)
  const both = localKeys(formatKeys([two, one]))
  const workers = [process(database, both), process(database, both)]
  const stale = process(database, localKeys(formatKeys([one, two])))
  const changed = made.filter((_, at) => at % 10 === 0)
  const replacing = changed.map(({ slug, id }) =>
    stale.credentials.replace(slug, id, { secret: { token: `new ${id}` } }, ada),
  )
  await Promise.all([...workers.map((each) => rotateKeys(each, { actor: ada })), ...replacing])
  await rotateKeys(workers[0] ?? stale, { actor: ada })
  const onlyNew = process(database, localKeys(formatKeys([two])))
  const secrets = await secretsOf(onlyNew, made)
  expect(secrets.filter((secret) => secret.startsWith("new "))).toEqual(changed.map(({ id }) => `new ${id}`))
  expect((await readKeyStatus(onlyNew)).pending).toBe(0)
})

test("a key that seals something cannot be removed, nor the current one, and a removed one seals nothing again", async () => {
  const database = await emptyDatabase()
  const file = await tempKeyFile()
  const here = process(database, file)
  const [first] = await fill(here, [["acme", "own", 1]])
  const old = await file.currentKeyId()
  const oldText = await readFile(file.path, "utf8")
  await expect(removeKey(here, old, ada)).rejects.toMatchObject({ code: "key_in_use" })
  await file.addKey?.()
  await expect(removeKey(here, old, ada)).rejects.toMatchObject({ code: "key_in_use" })
  const stale = process(database, localKeys(oldText))
  await stale.credentials.create("acme", { provider: "p", account: "s", kind: "custom", secret: { a: "b" } }, ada)
  expect((await rotateKeys(here, { actor: ada })).rewrapped).toBe(2)
  await removeKey(here, old, ada)
  const again = process(database, localKeys(oldText))
  const secret = { secret: { token: "late" } }
  await expect(again.credentials.replace("acme", first?.id ?? "", secret, ada)).rejects.toMatchObject({
    code: "config_invalid",
  })
  await expect(removeKey(process(database, localKeys(oldText)), old, ada)).rejects.toMatchObject({
    code: "config_invalid",
  })
})

test("what no key opens is named, left as it is, and does not hold up the rest", async () => {
  const database = await emptyDatabase()
  const file = await tempKeyFile()
  const here = process(database, file)
  const made = await fill(here, FLEET)
  const [bad, ...good] = made
  await database.owner.transaction((tx) =>
    tx.query(
      `update org_acme.credentials set data_key = set_byte(data_key, 20, get_byte(data_key, 20) # 1) where id = $1::text::uuid`,
      [bad?.id],
    ),
  )
  const report = await rotateKeys(here, { actor: ada })
  expect(report).toMatchObject({
    rewrapped: 114,
    unreadable: [{ tenant: "acme", id: bad?.id, code: "secret_unreadable" }],
  })
  expect(await secretsOf(here, good)).toHaveLength(114)
  expect(await selectLatestKeyRotation(database)).toMatchObject({ status: "failed", unreadable: 1 })
})

test("each purpose has a key of its own, the same in all processes, however many begin at once", async () => {
  const database = await emptyDatabase()
  const text = formatKeys([createLocalKey()])
  const rings = Array.from({ length: 5 }, () => new KeyRing(database, localKeys(text)))
  const keys = await Promise.all(rings.map(async (ring) => Buffer.from(await ring.derive("sessions")).toString("hex")))
  expect(new Set(keys).size).toBe(1)
  const ring = new KeyRing(database, localKeys(text))
  const all = await Promise.all(
    (["api_keys", "audit_head", "sessions", "sign_in", "webhooks"] as const).map((each) => ring.derive(each)),
  )
  expect(new Set(all.map((key) => Buffer.from(key).toString("hex"))).size).toBe(5)
  const other = new KeyRing(database, localKeys(formatKeys([createLocalKey()])))
  await expect(other.derive("sessions")).rejects.toMatchObject({ code: "key_unknown" })
  await expect(new KeyRing(database, undefined).derive("sessions")).rejects.toMatchObject({ code: "config_invalid" })
})
