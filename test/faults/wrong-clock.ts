import { existsSync } from "node:fs"
import { readdir, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Stage } from "./stage.ts"

/** Where Debian's package puts the library, for each kind of machine in a folder of its own. */
const LIBRARIES = "/usr/lib"
const LIBRARY = "faketime/libfaketimeMT.so.1"
/** Where the library keeps a little memory for each process, which stays there when the process is killed. */
const SHARED_MEMORY = "/dev/shm"

/** Variables of the environment of a process whose clock is wrong. */
export type ClockVariables = Readonly<Record<string, string>>

/** A clock that can be set while processes go by it. */
export interface MovableClock {
  readonly variables: ClockVariables
  /** Sets it, for example to `-1h` of the right time. The processes read it within a second. */
  readonly set: (offset: string) => Promise<void>
}

/**
 * The environment of a process whose wall clock is off by so much: `+1h`, `-1h`, `+30d`. Its monotonic clock, and so
 * its timers, go right, as on a machine whose date is wrong.
 *
 * @throws Error that says what to install when the library is not there
 */
export async function wrongClock(offset: string): Promise<ClockVariables> {
  return { ...(await preload()), FAKETIME: offset }
}

/** A clock that goes right until it is set. @throws Error that says what to install when the library is not there */
export async function movableClock(stage: Stage): Promise<MovableClock> {
  const file = join(tmpdir(), `clock-${crypto.randomUUID()}`)
  const set = (offset: string): Promise<void> => writeFile(file, `${offset}\n`)
  stage.cleanup("a clock", () => rm(file, { force: true }))
  await set("+0")
  const variables = { ...(await preload()), FAKETIME_TIMESTAMP_FILE: file, FAKETIME_CACHE_DURATION: "1" }
  return { variables, set }
}

/**
 * Has removed, after the scenario, what the library left of processes that are gone. Call it before anything is
 * started: what is made first is closed last.
 */
export function forgetClocks(stage: Stage): void {
  stage.cleanup("the memory of clocks", async () => {
    const names = (await readdir(SHARED_MEMORY)).filter((name) => isLeftOver(name))
    await Promise.all(names.map((name) => rm(join(SHARED_MEMORY, name), { force: true })))
  })
}

/** The names end with the number of the process. */
function isLeftOver(name: string): boolean {
  const pid = /^(?:sem\.)?faketime_(?:shm|sem)_(\d+)$/.exec(name)?.[1]
  return pid !== undefined && !existsSync(`/proc/${pid}`)
}

async function preload(): Promise<ClockVariables> {
  return { LD_PRELOAD: await libraryPath(), FAKETIME_DONT_FAKE_MONOTONIC: "1", DONT_FAKE_MONOTONIC: "1" }
}

async function libraryPath(): Promise<string> {
  for (const folder of await readdir(LIBRARIES)) {
    const path = join(LIBRARIES, folder, LIBRARY)
    if (existsSync(path)) return path
  }
  throw new Error(`expected libfaketime at ${LIBRARIES}/*/${LIBRARY}, found none; install the Debian package faketime`)
}
