import { randomUUID } from "node:crypto"
import { link, readFile, rename, rm, unlink, writeFile } from "node:fs/promises"
import { hostname } from "node:os"
import { join } from "node:path"
import { FleetPromptError } from "../errors.ts"

/** Who holds a lock: the lock file's content. */
interface Owner {
  readonly pid: number
  readonly host: string
  /** When the process was started, so that a later process with the same number is not mistaken for it. */
  readonly started: string | null
  /** Tells this lock from every other, also of the same process. */
  readonly id: string
}

/** A data directory that nobody else has open. */
export interface DirectoryLock {
  release(): Promise<void>
}

/** Each try loses only to another starter's success or release, so a few are plenty. */
const MAX_TRIES = 20

/**
 * Makes sure that one process at a time has a data directory open, by a file `lock` in it.
 *
 * A lock whose process is gone is taken over. Two processes that find it at the same time must not
 * both win, so the one that wants to replace lock X first takes a lock named after X, in the same way,
 * and then looks whether X is still there: only its holder may replace X. A lock file comes into being
 * with its content, by `link`, so nobody reads half of one.
 *
 * @throws FleetPromptError `data_directory_in_use`
 */
export async function lockDataDirectory(directory: string): Promise<DirectoryLock> {
  const file = join(directory, "lock")
  const owner: Owner = { pid: process.pid, host: hostname(), started: await startOf(process.pid), id: randomUUID() }
  const draft = `${file}.${owner.id}.draft`
  await writeFile(draft, JSON.stringify(owner), { mode: 0o600 })
  try {
    await take(file, draft, directory)
  } finally {
    await rm(draft, { force: true })
  }
  return { release: () => release(file, owner) }
}

/** Puts a link to `draft` in the place of `file`, when nobody is there or whoever was is gone. */
async function take(file: string, draft: string, directory: string): Promise<void> {
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    if (await linked(draft, file)) return
    const holder = await readOwner(file)
    if (holder === undefined) continue
    if (await isAlive(holder)) throw inUse(directory, file, holder)
    if (await replace(file, holder, draft, directory)) return
  }
  throw inUse(directory, file, await readOwner(file))
}

/** Takes the place of a lost process's lock. False when somebody else did. */
async function replace(file: string, lost: Owner, draft: string, directory: string): Promise<boolean> {
  const turn = `${file}.${lost.id}`
  await take(turn, draft, directory)
  try {
    const holder = await readOwner(file)
    if (holder?.id !== lost.id) return false
    // Renaming one of two names of the same file onto the other does nothing, so a third name is moved.
    const copy = `${draft}.copy`
    await link(draft, copy)
    await rename(copy, file)
    return true
  } finally {
    await unlink(turn)
  }
}

async function release(file: string, owner: Owner): Promise<void> {
  const holder = await readOwner(file)
  if (holder?.id === owner.id) await rm(file, { force: true })
}

async function linked(existing: string, name: string): Promise<boolean> {
  try {
    await link(existing, name)
    return true
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false
    throw error
  }
}

async function readOwner(file: string): Promise<Owner | undefined> {
  try {
    const owner: unknown = JSON.parse(await readFile(file, "utf8"))
    if (isOwner(owner)) return owner
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined
    if (!(error instanceof SyntaxError)) throw error
  }
  throw new FleetPromptError(
    "data_directory_in_use",
    `expected ${file} to say which process has the data directory open, but it cannot be read; delete it when no process has`,
  )
}

function isOwner(value: unknown): value is Owner {
  if (typeof value !== "object" || value === null) return false
  const { pid, host, started, id }: Partial<Record<keyof Owner, unknown>> = value
  const isStart = started === null || typeof started === "string"
  return typeof pid === "number" && typeof host === "string" && typeof id === "string" && isStart
}

/** Whether the process may still be there. Of another machine's processes nothing can be known. */
async function isAlive(owner: Owner): Promise<boolean> {
  if (owner.host !== hostname()) return true
  if (!exists(owner.pid)) return false
  const started = await startOf(owner.pid)
  return started === null || owner.started === null || started === owner.started
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Any other error, such as EPERM, means that it is there and somebody else's.
    return !hasCode(error, "ESRCH")
  }
}

/** When a process was started, in the system's own terms; null where the system does not say. */
async function startOf(pid: number): Promise<string | null> {
  try {
    const [boot, stat] = await Promise.all([
      readFile("/proc/sys/kernel/random/boot_id", "utf8"),
      readFile(`/proc/${pid}/stat`, "utf8"),
    ])
    // The process's name, in brackets, may hold anything; the fields after it are state and 18 others, then the start.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    const isZombie = fields[0] === "Z"
    return isZombie ? "ended" : `${boot.trim()}:${fields[19]}`
  } catch {
    return null
  }
}

function inUse(directory: string, file: string, holder: Owner | undefined): FleetPromptError {
  return new FleetPromptError("data_directory_in_use", `${directory} is open ${whoAndWhatToDo(file, holder)}`)
}

function whoAndWhatToDo(file: string, holder: Owner | undefined): string {
  if (holder === undefined) return "in another process that is just starting; try again"
  if (holder.host !== hostname()) {
    return `in process ${holder.pid} on the machine ${holder.host}; stop it, or delete ${file} when that machine no longer uses the directory`
  }
  if (holder.pid === process.pid) return "in this process already; open it once and share the database"
  return `in process ${holder.pid}; stop that process, or give this one another data directory or a DATABASE_URL`
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code
}
