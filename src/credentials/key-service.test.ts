import { randomBytes } from "node:crypto"
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import fc from "fast-check"
import { describe, expect, onTestFinished, test } from "vitest"
import { isFleetPromptError } from "../errors.ts"
import { keyFile } from "./key-file.ts"
import type { KeyService } from "./key-service.ts"
import { keyServiceContract } from "./key-service-contract.ts"
import { createLocalKey, formatKeys, localKeys, parseKeys } from "./local-keys.ts"
import { openBox, sealBox } from "./sealed-box.ts"

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "fleetprompt-keys-"))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

async function problemOf(run: () => unknown): Promise<string> {
  try {
    await run()
    return "none"
  } catch (error) {
    return isFleetPromptError(error) ? `${error.code} ${error.message}` : String(error)
  }
}

keyServiceContract(
  "keys in a text",
  async () => {
    const text = formatKeys([createLocalKey(), createLocalKey()])
    return [localKeys(text), localKeys(text)]
  },
  { test, expect },
)

keyServiceContract(
  "a key file",
  async () => {
    const path = join(await folder(), "keys")
    return [keyFile(path, { create: "when-missing" }), keyFile(path, { create: "when-missing" })]
  },
  { test, expect },
)

/** A service behind the port, as a user writes one: it has keys of its own and tells nothing of them. */
function otherService(): () => KeyService {
  const keys = new Map([["arn:key/1", randomBytes(32)]])
  const keyOf = (id: string): Uint8Array => keys.get(id) ?? fail()
  return () => ({
    currentKeyId: async () => "arn:key/1",
    wrap: async (key, bound) => ({ keyId: "arn:key/1", wrapped: sealBox(keyOf("arn:key/1"), key, bound) }),
    unwrap: async ({ keyId, wrapped }, bound) => openBox(keyOf(keyId), wrapped, bound),
  })
}

function fail(): never {
  throw new Error("AccessDenied")
}

keyServiceContract(
  "a key management service",
  async () => {
    const service = otherService()
    return [service(), service()]
  },
  { test, expect },
)

describe("a ring in a text", () => {
  test("is read as it was written, whatever its keys are", () => {
    const id = fc.stringMatching(/^[a-z0-9][a-z0-9_-]{0,39}$/)
    const bytes = fc.uint8Array({ minLength: 32, maxLength: 32 }).filter((key) => new Set(key).size > 1)
    const keys = fc.uniqueArray(fc.record({ id, bytes }), { minLength: 1, maxLength: 20, selector: (key) => key.id })
    fc.assert(
      fc.property(keys, fc.constantFrom(",", "\n", " ,\n "), (ring, separator) => {
        const read = parseKeys(formatKeys(ring, separator))
        expect(read.map((key) => ({ id: key.id, bytes: [...key.bytes] }))).toEqual(
          ring.map((key) => ({ id: key.id, bytes: [...key.bytes] })),
        )
      }),
    )
  })

  const good = randomBytes(32).toString("base64")
  test.each([
    ["", "at least one key"],
    [good, "an id of"],
    [`k1:${good.slice(4)}`, "32 bytes"],
    [`k1:${good}AAAA`, "32 bytes"],
    [`k1:${good.replace(/^./, "!")}`, "32 bytes"],
    [`K1:${good}`, "an id of"],
    [`k1:${Buffer.alloc(32).toString("base64")}`, "random bytes"],
    [`k1:${good},k1:${good}`, "an id of its own"],
    [Array.from({ length: 21 }, (_, at) => `k${at}:${good}`).join(), "at most 20"],
  ])("that is wrong is refused without a word of it (%#)", async (text, expected) => {
    const problem = await problemOf(() => localKeys(text))
    expect(problem).toContain("config_invalid")
    expect(problem).toContain(expected)
    expect(problem).not.toContain(good.slice(5, 20))
  })
})

describe("a key file", () => {
  test("that others may read is refused, and one that is missing too", async () => {
    const path = join(await folder(), "keys")
    expect(await problemOf(() => keyFile(path).currentKeyId())).toContain("a file there")
    await writeFile(path, formatKeys([createLocalKey()]), { mode: 0o600 })
    expect(await problemOf(() => keyFile(path).currentKeyId())).toBe("none")
    for (const mode of [0o640, 0o604, 0o644, 0o660]) {
      await chmod(path, mode)
      expect(await problemOf(() => keyFile(path).currentKeyId())).toContain("chmod 600")
    }
  })

  test("is made for its owner alone, once, by however many processes ask", async () => {
    const path = join(await folder(), "deeper", "keys")
    const files = Array.from({ length: 20 }, () => keyFile(path, { create: "when-missing" }))
    const ids = await Promise.all(files.map((file) => file.currentKeyId()))
    expect(new Set(ids).size).toBe(1)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await readdir(join(path, ".."))).toEqual(["keys"])
  })

  test("is read again within a second when another process has changed it", async () => {
    let now = 0
    const path = join(await folder(), "keys")
    const here = keyFile(path, { create: "when-missing", now: () => now })
    const there = keyFile(path)
    const first = await here.currentKeyId()
    const second = await there.addKey?.()
    expect(await here.currentKeyId()).toBe(first)
    now = 1_000
    expect(await here.currentKeyId()).toBe(second)
  })

  test("two that add a key at once lose none", async () => {
    const path = join(await folder(), "keys")
    const file = keyFile(path, { create: "when-missing" })
    await file.currentKeyId()
    const results = await Promise.allSettled(Array.from({ length: 5 }, async () => keyFile(path).addKey?.()))
    const added = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []))
    const text = await readFile(path, "utf8")
    expect(added.length).toBeGreaterThan(0)
    for (const id of added) expect(text).toContain(`${id}:`)
  })
})
