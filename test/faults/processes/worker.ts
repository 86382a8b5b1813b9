import { type JsonObject, copyJson } from "../../../src/signal/json.ts"
import { stopSignal } from "../../../src/cli/stop-signals.ts"
import { createFleet, type Fleet } from "../../../src/fleet.ts"
import { createFetchHandler } from "../../../src/server/fetch-handler.ts"
import { serve } from "../../../src/server/serve.ts"
import { flood } from "../flood.ts"
import { loadHandlers } from "../handlers/load.ts"
import { Ledger } from "../ledger/ledger.ts"
import { errorText, recordEmits } from "../ledger/recorded-emit.ts"
import { type RunningLoad, startLoad } from "../load.ts"
import { startTail } from "../tail.ts"
import { CONFIG_VARIABLE, type FleetCommands, type FleetProcessConfig, type Message, type Request } from "./messages.ts"
import { Points } from "./points.ts"

// A fleet in a process of its own, driven by messages. See README.md.

function tell(message: Message): void {
  // A driver that has gone hears nothing.
  if (process.connected) process.send?.(message, () => {})
}

/** What telemetry tells, as far as it is JSON: errors become texts. */
function plain(fields: object): JsonObject {
  const entries = Object.entries(fields).map(([name, value]: [string, unknown]) => {
    return [name, value instanceof Error ? errorText(value) : (value ?? null)]
  })
  return copyJson(Object.fromEntries(entries), "fields") as JsonObject
}

async function open(config: FleetProcessConfig): Promise<FleetCommands> {
  const ledger = new Ledger(config.ledgerUrl)
  const points = new Points((point, about) => tell({ kind: "point", point, about }))
  config.hold.forEach((point) => points.hold(point))
  config.dieAt.forEach((rule) => points.dieAt(rule))
  const workerName = (): string => fleet.workerName
  const handlers = await loadHandlers(config.handlers, { ledger, workerName, pass: points.pass })
  // The scenario says as JSON what a fleet takes.
  // No scenario has a tenant that is behind; one that is being provisioned would be asked to migrate.
  const fleet: Fleet = createFleet({
    migrations: { auto: false },
    ...config.fleet,
    databaseUrl: config.databaseUrl,
    handlers,
  })
  const wanted = new Set(config.events)
  fleet.telemetry.listen((name, fields) => {
    if (wanted.has(name)) tell({ kind: "event", name, fields: plain(fields) })
  })
  if (config.watchStatements || config.dieAt.some((rule) => "statement" in rule)) points.watch(fleet)
  const commands = commandsOf(fleet, ledger, points)
  stopSignal().addEventListener("abort", () => void commands.stop({ graceMs: config.graceMs }))
  await fleet.start()
  tell({ kind: "ready", workerName: fleet.workerName })
  return commands
}

function commandsOf(fleet: Fleet, ledger: Ledger, points: Points): FleetCommands {
  let load: RunningLoad | undefined
  const loadUnderWay = (): RunningLoad => {
    if (load) return load
    throw new Error("expected a load that was started")
  }
  return {
    hold: async (point) => points.hold(point),
    release: async (point) => points.release(point),
    dieAt: async (rule) => points.dieAt(rule),
    statements: async () => points.statements,
    health: async () => copyJson(await fleet.health(), "health"),
    stats: async () => copyJson(await fleet.stats(), "stats"),
    usage: async () => {
      const { user, system } = process.cpuUsage()
      const { rss, heapUsed, arrayBuffers } = process.memoryUsage()
      return { rss, heapUsed, arrayBuffers, cpuMs: (user + system) / 1_000 }
    },
    serve: async () => {
      const handler = createFetchHandler(fleet, {
        limits: false,
        authenticate: ({ headers }) => ({
          kind: "host",
          id: "load",
          tenant: headers.get("x-tenant") ?? "",
          role: "owner",
        }),
      })
      return (await serve(handler, { port: 0 })).url
    },
    emit: async ({ tenant, request }) => {
      const { signal, inserted } = await recordEmits(fleet, ledger).emit(tenant, request)
      return { signalId: signal.id, inserted }
    },
    flood: (order) => flood(fleet, ledger, order),
    startLoad: async (order) => void (load = startLoad(fleet, ledger, order)),
    pauseLoad: async () => loadUnderWay().pause(),
    resumeLoad: async () => loadUnderWay().resume(),
    loadCounts: async () => loadUnderWay().counts(),
    stopLoad: () => loadUnderWay().stop(),
    startTail: async (request) => void (await startTail(fleet, ledger, request)),
    stop: async (options) => {
      await load?.stop()
      await fleet.stop(options)
      await ledger.close()
      isStopped = true
      // The line to the driver is the last that keeps the process; first it has to carry the answer.
      setImmediate(() => process.connected && process.disconnect())
    },
  }
}

async function answer(commands: Promise<FleetCommands>, { id, name, order }: Request): Promise<void> {
  try {
    // The order came from the typed call of the same name.
    const result = await (await commands)[name](order as never)
    tell({ kind: "answer", id, result })
  } catch (error) {
    tell({ kind: "answer", id, error: errorText(error) })
  }
}

/** Whether the process ends because it was told to. */
let isStopped = false
const config = JSON.parse(process.env[CONFIG_VARIABLE] ?? "{}") as FleetProcessConfig
const commands = open(config)
process.on("message", (request: Request) => void answer(commands, request))
// Without its driver nobody wants this process any more.
process.once("disconnect", () => {
  if (!isStopped) process.exit(1)
})
commands.catch((error: unknown) => {
  console.error(error)
  process.exit(1)
})
