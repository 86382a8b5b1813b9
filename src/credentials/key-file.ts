import { randomUUID } from "node:crypto"
import type { Stats } from "node:fs"
import { link, mkdir, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises"
import { dirname } from "node:path"
import { FleetPromptError } from "../errors.ts"
import type { KeyService } from "./key-service.ts"
import {
  createLocalKey,
  formatKeys,
  keyUnknown,
  type LocalKey,
  parseKeys,
  ringKeyOf,
  unwrapBy,
  wrapBy,
} from "./local-keys.ts"

/** How a key file is used. */
export interface KeyFileOptions {
  /** Whether a file with a new key is made when there is none. For development alone. Default: it is missing, an error. */
  readonly create?: "when-missing"
  /** Milliseconds that only grow. Default `performance.now`. */
  readonly now?: () => number
}

type Keys = readonly [LocalKey, ...LocalKey[]]

/** How often the file is looked at again, milliseconds: another process may have put a new key into it. */
const LOOK_MS = 1_000
/** What others than the owner may do. */
const OTHERS = 0o077
const MAX_BYTES = 65_536

/**
 * A key ring in a file, one `id:base64` a line, the current key first. Only its owner may read it (mode 0600). It is read
 * again when it has changed, so a rotation by another process is noticed within a second.
 *
 * @throws FleetPromptError `config_invalid` at the first use, when the file is missing, readable by others or malformed
 * @example
 * createFleet({ databaseUrl, keys: keyFile("/run/secrets/fleetprompt-keys") })
 */
export function keyFile(path: string, options: KeyFileOptions = {}): KeyService {
  const file = new KeyFile(path, options)
  return {
    wrap: async (key, bound) => wrapBy((await file.read())[0], key, bound),
    unwrap: async (wrapped, bound) => unwrapBy(await file.readWith(wrapped.keyId), wrapped, bound),
    currentKeyId: async () => (await file.read())[0].id,
    keys: async () => (await file.read()).map(ringKeyOf),
    addKey: async () => {
      const key = createLocalKey()
      await file.write((keys) => [key, ...keys])
      return key.id
    },
    removeKey: (keyId) => file.write((keys) => withoutKey(keys, keyId)),
  }
}

class KeyFile {
  readonly #path: string
  readonly #options: KeyFileOptions
  readonly #now: () => number
  #keys: Keys | undefined
  /** What the file was like when it was read. */
  #state = ""
  #lookedAt = Number.NEGATIVE_INFINITY

  constructor(path: string, options: KeyFileOptions) {
    this.#path = path
    this.#options = options
    this.#now = options.now ?? (() => performance.now())
  }

  async read(): Promise<Keys> {
    if (this.#keys && this.#now() - this.#lookedAt < LOOK_MS) return this.#keys
    return this.#look()
  }

  /** A key that is not known may have come since. */
  async readWith(keyId: string): Promise<Keys> {
    const keys = await this.read()
    return keys.some(({ id }) => id === keyId) ? keys : this.#look()
  }

  /** Puts other keys into the file, at one moment: whoever reads finds the old ones or the new ones. */
  async write(change: (keys: Keys) => readonly LocalKey[]): Promise<void> {
    const draft = `${this.#path}.next`
    // While it is there nobody else changes the file: of two keys added at once, one would be lost with all it sealed.
    await createDraft(draft)
    try {
      await writeFile(draft, fileText(change(await this.#look())), { flush: true })
      await rename(draft, this.#path)
    } catch (error) {
      await rm(draft, { force: true })
      throw error
    }
    await syncFolder(dirname(this.#path))
    await this.#look()
  }

  async #look(): Promise<Keys> {
    const lookedAt = this.#now()
    const found = await this.#stat()
    const state = `${found.ino} ${found.mtimeMs} ${found.size}`
    if (!this.#keys || state !== this.#state) {
      this.#keys = parseKeys(await readFile(this.#path, "utf8"))
      this.#state = state
    }
    this.#lookedAt = lookedAt
    return this.#keys
  }

  async #stat(): Promise<Stats> {
    const found = await statOf(this.#path)
    if (!found && this.#options.create) {
      await createFile(this.#path)
      return this.#stat()
    }
    if (!found?.isFile()) throw invalid(this.#path, "a file there", "none")
    if (process.platform !== "win32" && (found.mode & OTHERS) !== 0)
      throw invalid(
        this.#path,
        "a file that its owner alone may read (chmod 600)",
        `mode ${(found.mode & 0o777).toString(8)}`,
      )
    if (found.size > MAX_BYTES) throw invalid(this.#path, `at most ${MAX_BYTES} bytes`, "more")
    return found
  }
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path)
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined
    throw error
  }
}

async function createDraft(draft: string): Promise<void> {
  try {
    await writeFile(draft, "", { mode: 0o600, flag: "wx" })
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error
    throw new FleetPromptError(
      "config_invalid",
      `expected to be the only one that changes the key file, found ${draft}; wait for the other process, or remove it when there is none`,
    )
  }
}

/** A key that sealed something must not be lost with the power: the file's new name is on the disk before it is used. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r")
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code
}

/** It comes into being with its content, by a link, so that of two processes one makes it and both read it. */
async function createFile(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const draft = `${path}.${randomUUID()}.draft`
  try {
    await writeFile(draft, fileText([createLocalKey()]), { mode: 0o600, flag: "wx", flush: true })
    await link(draft, path)
    await syncFolder(dirname(path))
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error
  } finally {
    await rm(draft, { force: true })
  }
}

function fileText(keys: readonly LocalKey[]): string {
  return `# Keys of FleetPrompt, the current one first. Whoever has them and the database has its secrets.\n${formatKeys(keys, "\n")}\n`
}

function withoutKey(keys: Keys, keyId: string): readonly LocalKey[] {
  const left = keys.filter(({ id }) => id !== keyId)
  if (left.length === keys.length) throw keyUnknown()
  if (keys[0].id !== keyId) return left
  throw new FleetPromptError(
    "key_in_use",
    `expected a key that is not the current one, got ${keyId}, which is; rotate first, then remove the old key`,
  )
}

function invalid(path: string, expected: string, came: string): FleetPromptError {
  return new FleetPromptError("config_invalid", `expected ${expected} as the key file ${path}, got ${came}`)
}
