import { readFile } from "node:fs/promises"
import { connect, type Socket } from "node:net"
import type { RecordedEmit } from "../ledger/recorded-emit.ts"
import type { FleetProcess } from "../processes/fleet-process.ts"
import { defineScenario } from "../scenario.ts"
import type { Stage } from "../stage.ts"
import { until } from "../wait.ts"

const MIB = 2 ** 20
/** What the server may hold for one client that does not read: what it may be behind, and one text more. */
const PER_CLIENT = 6 * MIB
/** What it holds besides while it tells so much. */
const BESIDES = 64 * MIB

/** M12: clients of the live feed open it and never read, while another reads all that a tenant stores. */
export const scenario = defineScenario({
  id: "M12",
  title: "a live-feed client that never reads",
  invariants: ["I1", "I3"],
  run: async (stage) => {
    const [clients, signals] = [stage.sized(8, 100), stage.sized(10_000, 60_000)]
    const database = await stage.postgres()
    const fleet = await stage.fleet({ database })
    await fleet.tenants.provision("acme")
    const server = await stage.worker({ database })
    const url = new URL(await server.tell("serve"))
    const reader = readFeed(stage, url)
    for (let n = 0; n < clients; n++) await openAndNeverRead(stage, url)
    await until(async () => (await connectionsTo(url)) === clients + 1, {
      withinMs: 20_000,
      what: `${clients + 1} clients are connected`,
    })
    const before = await server.tell("usage")
    const peak = watchPeak(stage, server)
    const sent = await emitLongOnes(await stage.recorder(fleet), signals)
    const isAllSeen = async (): Promise<boolean> => {
      if (reader.resets > 0) await readList(url, reader)
      return [...sent].every((id) => reader.seen.has(id))
    }
    await until(isAllSeen, { withinMs: 120_000, what: "the client that reads has seen all", everyMs: 500 })
    const most = await peak()
    const heldMiB = Math.round((most - before.arrayBuffers) / MIB)
    if (most - before.arrayBuffers > clients * PER_CLIENT + BESIDES)
      throw new Error(`expected a bounded buffer for ${clients} clients, got ${heldMiB} MiB`)
    await until(async () => (await connectionsTo(url)) === 1, {
      withinMs: 20_000,
      what: "those that do not read are dropped",
      everyMs: 200,
    })
    if (!server.isRunning()) throw new Error("expected the server to live")
    return {
      ...(await stage.check(scenario.invariants)),
      clients,
      heldMiB,
      seen: reader.seen.size,
      resets: reader.resets,
    }
  },
})

/** What a client knows. */
interface Reader {
  /** Ids of the signals that it has seen so far. */
  readonly seen: Set<string>
  /** How often it was told that it may have missed something, or was cut off. */
  resets: number
}

const READER = { "x-tenant": "acme" }

/** A client as it should be: it reads, and comes back when it is cut off. */
function readFeed(stage: Stage, url: URL): Reader {
  const reader: Reader = { seen: new Set(), resets: 0 }
  const abort = new AbortController()
  stage.cleanup("a reading client", () => abort.abort())
  const goOn = async (): Promise<void> => {
    while (!abort.signal.aborted) {
      await follow(url, reader, abort.signal).catch(() => {})
      reader.resets += 1
    }
  }
  void goOn()
  return reader
}

async function follow(url: URL, reader: Reader, signal: AbortSignal): Promise<void> {
  const { body } = await fetch(new URL("/v1/signals/live", url), { headers: READER, signal })
  let text = ""
  for await (const chunk of (body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
    text += chunk
    const events = text.split("\n\n")
    text = events.pop() ?? ""
    for (const event of events) hear(event, reader)
  }
}

function hear(event: string, reader: Reader): void {
  const [, name, data = ""] = /^event: (.*)\ndata: (.*)$/m.exec(event) ?? []
  if (name === "reset") reader.resets += 1
  if (name === "signals") see(JSON.parse(data) as readonly Row[], reader)
}

interface Row {
  readonly id: string
}

function see(rows: readonly Row[], { seen }: Reader): void {
  for (const { id } of rows) seen.add(id)
}

/** What who was told of a reset does: it reads the list anew, all of it. */
async function readList(url: URL, reader: Reader): Promise<void> {
  for (let before: string | null = ""; before !== null;) {
    const response = await fetch(new URL(`/v1/signals?limit=500${before}`, url), { headers: READER })
    const page = (await response.json()) as { readonly signals: readonly Row[]; readonly next: string | null }
    see(page.signals, reader)
    before = page.next === null ? null : `&before=${page.next}`
  }
}

/** Asks for the feed, and takes nothing of it off its connection. */
async function openAndNeverRead(stage: Stage, { hostname, port }: URL): Promise<void> {
  const socket: Socket = connect(Number(port), hostname).pause()
  socket.on("error", () => {})
  stage.cleanup("a client that never reads", () => socket.destroy())
  await new Promise((resolve) => socket.once("connect", resolve))
  socket.write(`GET /v1/signals/live HTTP/1.1\r\nHost: ${hostname}\r\nx-tenant: acme\r\n\r\n`)
}

/** Connections that the server holds, as the system's table has them. */
async function connectionsTo({ port }: URL): Promise<number> {
  const local = `0100007F:${Number(port).toString(16).toUpperCase().padStart(4, "0")}`
  const rows = (await readFile("/proc/net/tcp", "utf8")).split("\n").map((line) => line.trim().split(/\s+/))
  return rows.filter(([, address, , state]) => address === local && state === ESTABLISHED).length
}

const ESTABLISHED = "01"

/** Looks again and again at the buffers that a process holds. The function ends that and answers the most. */
function watchPeak(stage: Stage, process: FleetProcess): () => Promise<number> {
  let most = 0
  const look = async (): Promise<void> => {
    most = Math.max(most, (await process.tell("usage")).arrayBuffers)
  }
  const timer = setInterval(() => void look().catch(() => {}), 100)
  stage.cleanup("a look at memory", () => clearInterval(timer))
  return async () => {
    clearInterval(timer)
    await look()
    return most
  }
}

/** Signals whose attributes are as long as they may be, at a pace at which each is told. Returns their ids. */
async function emitLongOnes({ emitMany }: RecordedEmit, count: number): Promise<ReadonlySet<string>> {
  const ids = new Set<string>()
  const options = { subject: `order:${"s".repeat(900)}`, source: `/${"p".repeat(900)}` }
  const type = `feed.${"t".repeat(900)}`
  for (let at = 0; at < count; at += 200) {
    const paced = new Promise((resolve) => setTimeout(resolve, 60))
    const requests = Array.from({ length: 200 }, (_, n) => ({ type, data: { n: at + n }, options }))
    for (const { signal } of await emitMany("acme", requests)) ids.add(signal.id)
    await paced
  }
  return ids
}
