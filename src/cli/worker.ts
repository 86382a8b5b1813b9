import { once } from "node:events"
import type { Handler } from "../delivery/handler-definition.ts"
import { demoHandlers } from "../demo/handlers.ts"
import { FleetPromptError } from "../errors.ts"
import { createFleet, type Fleet } from "../fleet.ts"
import { createProbeHandler } from "../server/probe-handler.ts"
import { serve } from "../server/serve.ts"
import { type AppModule, loadAppModule } from "./app-module.ts"
import { keyServiceOf } from "./key-settings.ts"
import type { CommandContext } from "./command-context.ts"
import { furtherDatabases } from "./fleet-settings.ts"
import { countAttempts, logTrouble } from "./watch-fleet.ts"

/** Options of `fleetprompt worker`. */
export interface WorkerOptions {
  /** Handlers running at once. */
  readonly concurrency: number
  /** Where health and metrics are served; not at all when undefined. */
  readonly healthPort?: number
  readonly healthHost: string
  /** How long running handlers may take to end when the process is to stop, seconds. */
  readonly grace: number
  /** Whether a line with counts is printed each minute. */
  readonly verbose: boolean
}

const COUNTS_EVERY_MS = 60_000

/**
 * Runs the handlers of a module, and nothing else, until the process is asked to stop.
 *
 * @throws FleetPromptError `config_invalid` without a server to share with the processes that emit
 */
export async function worker(
  modulePath: string | undefined,
  options: WorkerOptions,
  context: CommandContext,
): Promise<void> {
  const { environment, terminal, stop } = context
  const { databaseUrl, listenUrl, ownerUrl } = environment
  if (databaseUrl === undefined) throw needsServer()
  const { handlers = [], templates = [] } = await workOf(modulePath)
  const fleet = createFleet({
    databaseUrl,
    listenUrl,
    ownerUrl,
    ...furtherDatabases(environment),
    handlers,
    templates,
    keys: keyServiceOf(environment),
    worker: { concurrency: options.concurrency },
    onProgress: (step) => terminal.line(`· ${step}`),
  })
  logTrouble(fleet, terminal)
  const closeProbes = await serveProbes(fleet, options, context)
  try {
    await fleet.start()
    greet(fleet, handlers, options, context)
    const counting = options.verbose ? printCounts(fleet, context) : undefined
    if (!stop.aborted) await once(stop, "abort")
    clearInterval(counting)
    await stopInOrder(fleet, options, context)
  } finally {
    await closeProbes()
  }
}

function needsServer(): FleetPromptError {
  return new FleetPromptError(
    "config_invalid",
    "expected DATABASE_URL, a Postgres server that this worker shares with the processes that emit; the embedded database belongs to one process alone: run `fleetprompt dev` for that, which runs handlers too",
  )
}

async function workOf(modulePath: string | undefined): Promise<Pick<AppModule, "handlers" | "templates">> {
  if (modulePath === undefined) return { handlers: demoHandlers }
  const app = await loadAppModule(modulePath)
  if ([...(app.handlers ?? []), ...(app.templates ?? [])].length > 0) return app
  throw new FleetPromptError(
    "config_invalid",
    `expected ${modulePath} to export default { handlers, templates } with one at least, got none; a worker only runs handlers`,
  )
}

async function serveProbes(
  fleet: Fleet,
  { healthPort: port, healthHost: hostname }: WorkerOptions,
  { environment, terminal }: CommandContext,
): Promise<() => Promise<void>> {
  if (port === undefined) return async () => {}
  const handler = createProbeHandler(fleet, { metricsToken: environment.metricsToken })
  try {
    const server = await serve(handler, { hostname, port })
    terminal.line(`· ${server.url}/health, /ready and /metrics`)
    return server.close
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new FleetPromptError(
      "config_invalid",
      `expected a free port for health on ${hostname}, got ${port}: ${reason}; give another as --health-port`,
      { cause },
    )
  }
}

function greet(
  fleet: Fleet,
  handlers: readonly Handler[],
  options: WorkerOptions,
  { terminal, environment }: CommandContext,
): void {
  terminal.line(`· worker ${fleet.workerName} on ${placeOf(environment.databaseUrl)}`)
  terminal.line(`· ${options.concurrency} at once of ${handlers.length} handlers:`)
  for (const { name } of handlers) terminal.line(`    ${name}`)
  terminal.line(`· SIGTERM or Ctrl-C stops it within ${options.grace} s; a second one at once`)
}

/** Host and name of a database, without user and password. */
function placeOf(databaseUrl: string | undefined): string {
  if (databaseUrl === undefined || !URL.canParse(databaseUrl)) return "the database"
  const { host, pathname } = new URL(databaseUrl)
  return `${host}${pathname}`
}

function printCounts(fleet: Fleet, { terminal }: CommandContext): NodeJS.Timeout {
  const counts = countAttempts(fleet)
  return setInterval(() => terminal.line(`· ${new Date().toISOString()} ${counts()}`), COUNTS_EVERY_MS).unref()
}

async function stopInOrder(fleet: Fleet, { grace }: WorkerOptions, { terminal }: CommandContext): Promise<void> {
  terminal.line(`stopping: no new work is taken, what runs may end within ${grace} s`)
  let givenBack = 0
  fleet.telemetry.listen((name, fields) => {
    if (name === "fleet.stopped" && "released" in fields) givenBack = fields.released
  })
  await fleet.stop({ graceMs: grace * 1_000 })
  terminal.line(`stopped; ${givenBack === 0 ? "nothing was cut short" : `${givenBack} given back to other workers`}`)
}
