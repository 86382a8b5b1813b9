import { link, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { hostname, tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { type NodeProcess, startNode } from "../../test/support/node-process.ts"
import { lockDataDirectory } from "./embedded-lock.ts"

/** Tries to lock its directory at each line it reads, and prints how that went. */
const CONTENDER = `
  const { lockDataDirectory } = await import(dist + "store/embedded-lock.js")
  const { createInterface } = await import("node:readline")
  console.log("ready")
  let lock
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === "lock") lock = await lockDataDirectory(args[0]).catch((error) => ({ refused: error }))
    if (line === "release") await lock.release()
    console.log(line === "release" ? "released" : lock.refused ? lock.refused.code + ": " + lock.refused.message : "locked")
  }
`

async function emptyDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "fleetprompt-lock-"))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

async function startContender(directory: string): Promise<NodeProcess> {
  const contender = startNode(CONTENDER, directory)
  expect(await contender.nextLine()).toBe("ready")
  return contender
}

async function ask(contender: NodeProcess, line: "lock" | "release"): Promise<string> {
  contender.tell(line)
  return contender.nextLine()
}

/** Puts a lock into the place of whatever is there. */
async function plantLock(directory: string, content: string | object): Promise<void> {
  const draft = join(directory, "planted")
  await writeFile(draft, typeof content === "string" ? content : JSON.stringify(content))
  await rm(join(directory, "lock"), { force: true })
  await link(draft, join(directory, "lock"))
  await rm(draft)
}

/** The lock of a process that is gone. */
async function lockOfTheDead(directory: string): Promise<object> {
  const other = await emptyDirectory()
  const dead = await startContender(other)
  expect(await ask(dead, "lock")).toBe("locked")
  await dead.kill("SIGKILL")
  const lock: object = JSON.parse(await readFile(join(other, "lock"), "utf8"))
  await plantLock(directory, lock)
  return lock
}

test("a directory that is locked is refused to the same process, until it is released", async () => {
  const directory = await emptyDirectory()
  const lock = await lockDataDirectory(directory)
  const refused = lockDataDirectory(directory)
  await expect(refused).rejects.toMatchObject({
    code: "data_directory_in_use",
    message: `${directory} is open in this process already; open it once and share the database`,
  })
  await lock.release()
  const again = await lockDataDirectory(directory)
  await again.release()
  expect(await readdir(directory)).toEqual([])
})

test("a directory that is locked is refused to another process, which is told by whom and what to do", async () => {
  const directory = await emptyDirectory()
  const lock = await lockDataDirectory(directory)
  const other = await startContender(directory)
  const answer = await ask(other, "lock")
  expect(answer).toContain(`data_directory_in_use: ${directory} is open in process ${process.pid}; stop that process`)
  await lock.release()
  expect(await ask(other, "lock")).toBe("locked")
  await expect(lockDataDirectory(directory)).rejects.toThrow(`in process ${other.pid}`)
  expect(await ask(other, "release")).toBe("released")
})

test("the lock of a process that was killed is taken over", async () => {
  const directory = await emptyDirectory()
  for (let round = 0; round < 3; round += 1) {
    const holder = await startContender(directory)
    expect(await ask(holder, "lock")).toBe("locked")
    await holder.kill("SIGKILL")
  }
  const lock = await lockDataDirectory(directory)
  await lock.release()
  expect(await readdir(directory)).toEqual([])
})

test("of several processes that find a lost process's lock at the same time, exactly one wins", async () => {
  const directory = await emptyDirectory()
  const contenders = await Promise.all(Array.from({ length: 4 }, () => startContender(directory)))
  const lost = await lockOfTheDead(directory)
  for (let round = 0; round < 150; round += 1) {
    await plantLock(directory, { ...lost, id: `round-${round}` })
    const answers = await Promise.all(contenders.map((contender) => ask(contender, "lock")))
    expect(answers.filter((answer) => answer === "locked")).toHaveLength(1)
    expect(answers.filter((answer) => answer.startsWith("data_directory_in_use"))).toHaveLength(3)
  }
})

test("of several processes that find no lock at the same time, exactly one wins", async () => {
  const directory = await emptyDirectory()
  const contenders = await Promise.all(Array.from({ length: 4 }, () => startContender(directory)))
  for (let round = 0; round < 50; round += 1) {
    const answers = await Promise.all(contenders.map((contender) => ask(contender, "lock")))
    expect(answers.filter((answer) => answer === "locked")).toHaveLength(1)
    await rm(join(directory, "lock"))
  }
})

test("a process that died while it took over is itself taken over", async () => {
  const directory = await emptyDirectory()
  const lost = await lockOfTheDead(directory)
  await plantLock(directory, { ...lost, id: "first" })
  await writeFile(join(directory, "lock.first"), JSON.stringify({ ...lost, id: "second" }))
  const lock = await lockDataDirectory(directory)
  await lock.release()
  expect(await readdir(directory)).toEqual([])
})

test("a later process with the number of the lost one is not mistaken for it", async () => {
  const directory = await emptyDirectory()
  await plantLock(directory, { pid: process.pid, host: hostname(), started: "before this process", id: "old" })
  const lock = await lockDataDirectory(directory)
  await lock.release()
})

test("a lock of another machine is refused, and the file to delete is named", async () => {
  const directory = await emptyDirectory()
  await plantLock(directory, { pid: 1, host: "elsewhere", started: null, id: "far" })
  const file = join(directory, "lock")
  await expect(lockDataDirectory(directory)).rejects.toMatchObject({
    code: "data_directory_in_use",
    message: `${directory} is open in process 1 on the machine elsewhere; stop it, or delete ${file} when that machine no longer uses the directory`,
  })
})

test.each(["", "{", "null", `{"pid": "1"}`])(
  "a lock that says %j is refused, and the file is named",
  async (content) => {
    const directory = await emptyDirectory()
    await plantLock(directory, content)
    const file = join(directory, "lock")
    await expect(lockDataDirectory(directory)).rejects.toThrow(`expected ${file} to say which process`)
  },
)

test("releasing does not remove the lock of somebody else", async () => {
  const directory = await emptyDirectory()
  const lock = await lockDataDirectory(directory)
  await plantLock(directory, { pid: 1, host: "elsewhere", started: null, id: "far" })
  await lock.release()
  expect(await readdir(directory)).toEqual(["lock"])
})
