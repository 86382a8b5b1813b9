import { expect, onTestFinished, test } from "vitest"
import { binding, bindingsRead } from "../../test/support/bindings.ts"
import { startNode } from "../../test/support/node-process.ts"
import { serverDatabaseUrl } from "../../test/support/test-database.ts"
import { testSlug } from "../../test/support/test-fleet.ts"
import { createFleet, type Fleet } from "../fleet.ts"
import { upsertBindings } from "../store/bindings.ts"
import { openServerDatabase } from "../store/server-database.ts"
import { Telemetry } from "../telemetry/telemetry.ts"
import { defineHandler } from "./handler.ts"
import { LeaseKeeper } from "./lease-keeper.ts"

/** Long enough for a busy machine to connect and to write within it. */
const LEASE_MS = 3_000
const BLOCK_MS = 3 * LEASE_MS
const RUNNING = 20
const WAITING = 4

/**
 * A worker in a process of its own. `wait` runs until the line `end` comes; `block` holds the event loop before its
 * first await or after it. Where nothing blocks, both end at once. Prints what begins, and what was lost.
 */
const program = `
  const { createFleet, defineHandler, defineHandlerTemplate } = await import(new URL("fleetprompt.js", dist))
  const { createInterface } = await import("node:readline")
  const [databaseUrl, place, leaseMs, blockMs] = args
  const lines = createInterface({ input: process.stdin })
  const heard = (line) => new Promise((resolve) => lines.on("line", (each) => each === line && resolve()))
  const [begun, ended] = [heard("begin"), heard("end")]
  const block = () => {
    console.log("blocked")
    for (const until = performance.now() + Number(blockMs); performance.now() < until; );
    console.log("free")
  }
  const wait = defineHandler({ name: "wait", on: "wait.asked", run: async () => {
    console.log("wait")
    if (place !== "nowhere") await ended
  }})
  const run = async () => {
    if (place === "nowhere") return console.log("block")
    if (place === "after") await new Promise(setImmediate)
    block()
  }
  const blocking = defineHandler({ name: "block", on: "block.asked", run })
  const templates = [defineHandlerTemplate({ name: "test.block", run })]
  const worker = { concurrency: 25, leaseMs: Number(leaseMs), pollMs: 100 }
  const fleet = createFleet({ databaseUrl, retention: false, worker, handlers: [wait, blocking], templates })
  fleet.telemetry.listen((name, { handler, attempt }) => name === "delivery.lost" && console.log(name, handler, attempt))
  console.log("there")
  await begun
  await fleet.start()
  console.log(fleet.workerName)
`

interface WorkerProcess {
  /** Resolves when it has printed a line so many times. */
  readonly prints: (line: string, times?: number) => Promise<void>
  /** Begins to claim; resolves with its name. */
  readonly begin: () => Promise<string>
  /** Lets end what waits. */
  readonly end: () => void
}

async function startWorker(databaseUrl: string, place: "before" | "after" | "nowhere"): Promise<WorkerProcess> {
  const { nextLine, tell } = startNode(program, databaseUrl, place, String(LEASE_MS), String(BLOCK_MS))
  const prints = async (line: string, times = 1): Promise<void> => {
    for (let seen = 0; seen < times;) if ((await nextLine()) === line) seen += 1
  }
  const begin = (): Promise<string> => {
    tell("begin")
    return nextLine()
  }
  await prints("there")
  return { prints, begin, end: () => tell("end") }
}

async function startEmitter(databaseUrl: string, names: readonly string[]): Promise<Fleet> {
  const handlers = names.map((name) => defineHandler({ name, on: `${name}.asked`, run: () => {} }))
  const fleet = createFleet({ databaseUrl, handlers, worker: false, retention: false })
  await fleet.start()
  onTestFinished(() => fleet.stop())
  return fleet
}

/** Attempts of a tenant, the most frequent first: how many, of what handler and number, what came of them, where. */
async function attemptsOf(databaseUrl: string, slug: string, names: Readonly<Record<string, string>>) {
  const database = await openServerDatabase({ connectionString: databaseUrl })
  const rows = await database.query<{ count: number; attempt: string; worker: string }>(
    `select count(*)::integer as count, handler || ' ' || attempt || ' ' || outcome as attempt, worker
     from org_${slug}.attempts group by 2, 3 order by 1 desc, 2`,
  )
  await database.close()
  return rows.map(({ count, attempt, worker }) => `${count} × ${attempt} by ${names[worker]}`)
}

/** Binds the template that blocks, as a package would. */
async function bind(databaseUrl: string, slug: string, emitter: Fleet): Promise<void> {
  const database = await openServerDatabase({ connectionString: databaseUrl })
  const bound = binding({ handler: "test.block", template: "test.block", pattern: "block.asked" })
  await upsertBindings(database, slug, [bound])
  await database.close()
  await bindingsRead(emitter)
}

/**
 * One worker blocks its event loop for three leases while it runs and holds others' work; a second stands by. What blocks
 * is a handler of the program, or one that a package brings.
 */
async function blockOneOfTwo(place: "before" | "after", whose: "program" | "package" = "program") {
  const databaseUrl = await serverDatabaseUrl()
  const emitter = await startEmitter(databaseUrl, whose === "program" ? ["wait", "block"] : ["wait"])
  const [many, one] = [testSlug("many"), testSlug("one")]
  for (const slug of [many, one]) await emitter.tenants.provision(slug)
  const [first, second] = await Promise.all([startWorker(databaseUrl, place), startWorker(databaseUrl, "nowhere")])
  const firstName = await first.begin()
  if (whose === "package") await bind(databaseUrl, one, emitter)
  await emitter
    .tenant(many)
    .emitMany(Array.from({ length: RUNNING + WAITING }, (_, n) => ({ type: "wait.asked", data: { n } })))
  await first.prints("wait", RUNNING)
  // A fifth of the slots is kept for other tenants, so this one begins at once.
  await emitter.tenant(one).emit("block.asked", {})
  await first.prints("blocked")
  const names = { [firstName]: "first", [await second.begin()]: "second" }
  return {
    first,
    second,
    finish: async () => {
      first.end()
      await emitter.drain()
      return Promise.all([many, one].map((slug) => attemptsOf(databaseUrl, slug, names)))
    },
  }
}

test("a handler that blocks the event loop loses its own delivery, and only that", async () => {
  const { first, second, finish } = await blockOneOfTwo("before")
  await second.prints("block")
  await first.prints("free")
  await first.prints("delivery.lost block 1")
  expect(await finish()).toEqual([
    [`${RUNNING + WAITING} × wait 1 done by first`],
    ["1 × block 1 lost by first", "1 × block 2 done by second"],
  ])
})

test("so does one that a package brings", async () => {
  const { first, second, finish } = await blockOneOfTwo("before", "package")
  await second.prints("block")
  await first.prints("free")
  await first.prints("delivery.lost test.block 1")
  expect(await finish()).toEqual([
    [`${RUNNING + WAITING} × wait 1 done by first`],
    ["1 × test.block 1 lost by first", "1 × test.block 2 done by second"],
  ])
})

test("a handler that blocks after an await, where nobody can see whose doing it is, loses nothing", async () => {
  const { first, finish } = await blockOneOfTwo("after")
  await first.prints("free")
  expect(await finish()).toEqual([[`${RUNNING + WAITING} × wait 1 done by first`], ["1 × block 1 done by first"]])
})

test("a keeper whose thread ends says why and starts another", async () => {
  const telemetry = new Telemetry()
  const keeper = new LeaseKeeper({ worker: "w", connectionString: "nowhere", leaseMs: 1_000, telemetry })
  onTestFinished(() => keeper.stop())
  const told: unknown[] = []
  const twice = new Promise<void>((resolve) => {
    telemetry.listen((name, fields) => {
      if (name === "background.failed" && "error" in fields && told.push(fields.error) === 2) resolve()
    })
  })
  keeper.start()
  await twice
  expect(told.map(String)).toEqual(Array.from({ length: 2 }, () => expect.stringContaining("expected a database URL")))
})
