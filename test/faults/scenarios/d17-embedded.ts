import { createHmac } from "node:crypto"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { githubWebhook } from "../../../src/connectors/github.ts"
import type { Fleet } from "../../../src/fleet.ts"
import { createFetchHandler } from "../../../src/server/fetch-handler.ts"
import { errorText } from "../ledger/recorded-emit.ts"
import type { FleetProcess, FleetProcessOptions } from "../processes/fleet-process.ts"
import { defineScenario } from "../scenario.ts"
import type { Stage } from "../stage.ts"
import { until } from "../wait.ts"

const DEPTH = 10_000
/** How soon a process with the embedded database works, from its start, however busy the machine is. */
const READY_MS = 60_000
/** How soon hostile data are refused, or the second process, likewise. */
const REFUSED_MS = 30_000
const SECRET = "only for this scenario"

/** D17: a process is killed while it writes, others want its directory, and callers send JSON without a bottom. */
export const scenario = defineScenario({
  id: "D17",
  title: "embedded database: kill -9 while writing, two processes on one directory, hostile JSON",
  invariants: ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9"],
  limitMs: { short: 120_000, long: 1_800_000 },
  run: async (stage) => {
    const dataDirectory = join(tmpdir(), "embedded")
    const options = { database: {}, fleet: { dataDirectory } }
    await provision(stage, dataDirectory)
    const rounds = stage.sized(3, 30)
    let readyMs = 0
    for (let round = 0; round < rounds; round++) {
      const startedAt = performance.now()
      const process = await onlyOneOf(stage, options, 2)
      await process.tell("startTail", { name: "tail", tenant: "acme" })
      const load = { tenants: ["acme"], callers: 8, keyed: 0.5, duplicates: 0.1, subjects: 10 }
      await process.tell("startLoad", load)
      await isStoring(process, 1)
      readyMs = Math.max(readyMs, Math.round(performance.now() - startedAt))
      if (round === 0) await refusesSecond(stage, options, process)
      await isStoring(process, stage.sized(100, 500))
      process.kill("SIGKILL")
      await process.exited
    }
    if (readyMs > READY_MS) throw new Error(`the directory was open after ${readyMs} ms, expected ${READY_MS} at most`)
    const webhooks = [githubWebhook({ tenant: "acme", secret: SECRET })]
    const fleet = await stage.fleet({ database: {}, dataDirectory, worker: {}, webhooks })
    const slowestRefusalMs = await refusesDeepData(fleet)
    await stage.tail(fleet, { name: "tail", tenant: "acme" })
    await fleet.drain()
    const query = <Row extends object>(text: string, values?: readonly unknown[]): Promise<readonly Row[]> =>
      fleet.transaction((tx) => tx.query<Row>(text, values))
    return {
      ...(await stage.check(scenario.invariants, { database: { query } })),
      kills: rounds,
      readyMs,
      slowestRefusalMs,
    }
  },
})

async function provision(stage: Stage, dataDirectory: string): Promise<void> {
  const fleet = await stage.fleet({ database: {}, dataDirectory })
  await fleet.tenants.provision("acme")
  await fleet.stop()
}

/** Starts several at once on a directory that a lost process held: one gets it, the others end and say why. */
async function onlyOneOf(stage: Stage, options: FleetProcessOptions, count: number): Promise<FleetProcess> {
  const started = await Promise.all(Array.from({ length: count }, () => stage.spawn(options)))
  const isReady = await Promise.all(
    started.map(({ ready }) =>
      ready.then(
        () => true,
        () => false,
      ),
    ),
  )
  const [only, ...others] = started.filter((_, at) => isReady[at])
  if (!only || others.length > 0)
    throw new Error(`expected one of ${count} to open the directory, got ${others.length + 1}`)
  for (const { process } of started) if (process !== only.process) expectRefusal(process)
  return only.process
}

function expectRefusal(process: FleetProcess): void {
  const said = process.stderr()
  const isClear = said.includes("data_directory_in_use") && /is open in (process \d+|another process)/.test(said)
  if (process.isRunning() || !isClear)
    throw new Error(`expected a process to be refused the directory, it said: ${said}`)
}

/** While one has the directory, another is told who it is and ends; the first goes on. */
async function refusesSecond(stage: Stage, options: FleetProcessOptions, first: FleetProcess): Promise<void> {
  const startedAt = performance.now()
  const { process } = await stage.spawn(options)
  const { code } = await process.exited
  const ms = Math.round(performance.now() - startedAt)
  if (code === 0 || ms > REFUSED_MS)
    throw new Error(`expected a second process to fail soon, got ${code} after ${ms} ms`)
  expectRefusal(process)
  if (!process.stderr().includes(`in process ${first.pid};`)) throw new Error("expected it to say which process has it")
  await isStoring(first, 10)
}

/** Resolves once a process has got so many further signals stored. */
async function isStoring(process: FleetProcess, more: number): Promise<void> {
  const before = (await process.tell("loadCounts")).ok
  const isSo = async (): Promise<boolean> => (await process.tell("loadCounts")).ok >= before + more
  await until(isSo, { withinMs: 90_000, what: `process ${process.pid} stores ${more} signals` })
}

/** Sends what the embedded database would choke on through each door. Returns how long the slowest refusal took. */
async function refusesDeepData(fleet: Fleet): Promise<number> {
  const tenant = fleet.tenant("acme")
  const send = async (what: string, code: string, call: () => Promise<unknown>): Promise<number> => {
    const from = performance.now()
    const came = await call().then(() => "stored", errorText)
    const ms = Math.round(performance.now() - from)
    if (!came.startsWith(code))
      throw new Error(`expected ${what} to be refused with ${code}, got ${came.slice(0, 200)}`)
    if (ms > REFUSED_MS) throw new Error(`${what} was refused after ${ms} ms, expected ${REFUSED_MS} at most`)
    return ms
  }
  const times: number[] = []
  for (const [what, data] of deepData()) {
    times.push(await send(what, "data_too_deep", () => tenant.emit("order.created", data)))
    times.push(
      await send(`${what} in a batch`, "data_too_deep", () => tenant.emitMany([{ type: "order.created", data }])),
    )
  }
  for (const depth of [DEPTH, 1_000_000])
    times.push(await send(`a webhook ${depth} deep`, "422", () => postDeep(fleet, depth)))
  const health = await fleet.health()
  if (!health.ready) throw new Error("expected the database to answer after hostile data")
  return Math.max(...times)
}

function deepData(): readonly (readonly [string, unknown])[] {
  let [list, object, mixed]: unknown[] = [1, 1, 1]
  for (let depth = 0; depth < DEPTH; depth++) {
    list = [list]
    object = { next: object }
    mixed = depth % 2 === 0 ? [mixed] : { next: mixed, "": "x" }
  }
  return Object.entries({ lists: list, objects: object, mixture: { list, mixed } })
}

/** Throws the status that the edge answers. */
async function postDeep(fleet: Fleet, depth: number): Promise<void> {
  const body = `{"repository":{"full_name":"a/b"},"deep":${"[".repeat(depth)}${"]".repeat(depth)}}`
  const signature = createHmac("sha256", SECRET).update(body).digest("hex")
  const handler = createFetchHandler(fleet, { authenticate: () => undefined })
  const response = await handler.fetch(
    new Request("http://localhost/v1/webhooks/github", {
      method: "POST",
      body,
      headers: {
        "content-type": "application/json",
        "x-github-event": "push",
        "x-github-delivery": crypto.randomUUID(),
        "x-hub-signature-256": `sha256=${signature}`,
      },
    }),
  )
  handler.close()
  throw new Error(`${response.status} ${await response.text()}`)
}
