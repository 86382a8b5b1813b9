import { randomBytes } from "node:crypto"
import type { ContractRunner } from "../signal/contract-runner.ts"
import type { KeyService } from "./key-service.ts"

/** Makes two services that know the same keys, as two processes of a fleet have them. */
export type CreateKeyServices = () => Promise<readonly [KeyService, KeyService]>

const BOUND = JSON.stringify(["acme", "credentials", "data_key", "0198c0de-0000-7000-8000-000000000000", 1])

/**
 * Registers the tests that every key service must pass. The runner's functions are passed in, so that nothing here depends
 * on one.
 *
 * @example
 * // test and expect of Vitest
 * keyServiceContract("our KMS", async () => [ourKms(), ourKms()], { test, expect })
 */
export function keyServiceContract(name: string, create: CreateKeyServices, { test, expect }: ContractRunner): void {
  const serviceTest = (title: string, run: (here: KeyService, there: KeyService) => Promise<void>): void =>
    void test(`${name}: ${title}`, async () => run(...(await create())))

  serviceTest("opens what it sealed, in every process", async (here, there) => {
    for (let round = 0; round < 20; round += 1) {
      const key = randomBytes(32)
      const wrapped = await here.wrap(key, BOUND)
      expect(Buffer.from(await here.unwrap(wrapped, BOUND)).equals(key)).toEqual(true)
      expect(Buffer.from(await there.unwrap(wrapped, BOUND)).equals(key)).toEqual(true)
    }
  })

  serviceTest("names the key that it seals by", async (here) => {
    const { keyId } = await here.wrap(randomBytes(32), BOUND)
    expect(keyId).toEqual(await here.currentKeyId())
    const keys = await here.keys?.()
    if (keys) expect(keys.filter(({ id }) => id === keyId).length).toEqual(1)
  })

  serviceTest("leaves the caller's bytes alone", async (here) => {
    const key = randomBytes(32)
    const copy = Buffer.from(key)
    const wrapped = await here.wrap(key, BOUND)
    const before = Buffer.from(wrapped.wrapped)
    await here.unwrap(wrapped, BOUND)
    expect([key.equals(copy), before.equals(wrapped.wrapped)]).toEqual([true, true])
  })

  serviceTest("does not show the key, and seals it differently each time", async (here) => {
    const key = randomBytes(32)
    const first = Buffer.from((await here.wrap(key, BOUND)).wrapped)
    const second = Buffer.from((await here.wrap(key, BOUND)).wrapped)
    expect([first.includes(key), first.equals(second)]).toEqual([false, false])
  })

  serviceTest("opens for what a key is bound to alone", async (here) => {
    const wrapped = await here.wrap(randomBytes(32), BOUND)
    for (const other of [`${BOUND} `, "", BOUND.replace("acme", "zeta"), BOUND.slice(1)])
      expect(await isRefused(here.unwrap(wrapped, other))).toEqual(true)
  })

  serviceTest("refuses what was changed, cut, or is said to be of another key", async (here) => {
    const { keyId, wrapped } = await here.wrap(randomBytes(32), BOUND)
    for (let at = 0; at < wrapped.length; at += 1) {
      const changed = Buffer.from(wrapped)
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at)
      expect(await isRefused(here.unwrap({ keyId, wrapped: changed }, BOUND))).toEqual(true)
    }
    expect(await isRefused(here.unwrap({ keyId, wrapped: wrapped.subarray(0, -1) }, BOUND))).toEqual(true)
    expect(await isRefused(here.unwrap({ keyId, wrapped: new Uint8Array(0) }, BOUND))).toEqual(true)
    expect(await isRefused(here.unwrap({ keyId: "no-such-key", wrapped }, BOUND))).toEqual(true)
  })

  serviceTest("a new key seals from then on, the old one still opens, and neither forgets", async (here, there) => {
    if (!here.addKey || !here.removeKey) return
    const key = randomBytes(32)
    const old = await here.wrap(key, BOUND)
    const added = await here.addKey()
    const fresh = await here.wrap(key, BOUND)
    expect([fresh.keyId, await here.currentKeyId()]).toEqual([added, added])
    expect(Buffer.from(await there.unwrap(fresh, BOUND)).equals(key)).toEqual(true)
    expect(Buffer.from(await here.unwrap(old, BOUND)).equals(key)).toEqual(true)
    expect(await isRefused(here.removeKey(added))).toEqual(true)
    await here.removeKey(old.keyId)
    expect(await isRefused(here.unwrap(old, BOUND))).toEqual(true)
  })
}

async function isRefused(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => false,
    () => true,
  )
}
