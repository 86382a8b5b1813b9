import { randomBytes } from "node:crypto"
import { githubWebhook } from "../connectors/github.ts"
import { demoHandlers } from "../demo/handlers.ts"
import { createFleet, type Fleet } from "../fleet.ts"
import { developmentKeys } from "../fleet/key-options.ts"
import { createFetchHandler } from "../server/fetch-handler.ts"
import { type RunningServer, serve } from "../server/serve.ts"
import { type AppModule, loadAppModule } from "./app-module.ts"
import type { CommandContext } from "./command-context.ts"
import { furtherDatabases } from "./fleet-settings.ts"
import { feedDemo } from "./feed-demo.ts"
import { keyServiceOf } from "./key-settings.ts"
import { reportOnce } from "./report.ts"
import type { Terminal } from "./terminal.ts"
import { logTrouble } from "./watch-fleet.ts"

/** Options of `fleetprompt dev`. */
export interface DevOptions {
  readonly port: number
  readonly dataDirectory: string
  readonly tenant: string
  /** Events a second that the demo feeds. */
  readonly rate: number
  /** Whether the demo feeds events. */
  readonly feed: boolean
  /** Feed everything, wait until it is settled, report and end. */
  readonly once: boolean
  readonly json: boolean
}

/** Only this machine's own names, because the page asks for no account. */
const LOCAL_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
/** How long running handlers may take after Ctrl-C, milliseconds. */
const STOP_GRACE_MS = 1_000

/** Runs a fleet with its page on this machine: the demo, or the handlers of a module. */
export async function dev(modulePath: string | undefined, options: DevOptions, context: CommandContext): Promise<void> {
  const { terminal, stop } = context
  const secret = context.environment.githubSecret ?? randomBytes(32).toString("hex")
  const app: AppModule = modulePath === undefined ? { handlers: demoHandlers } : await loadAppModule(modulePath)
  const webhooks = app.webhooks ?? [githubWebhook({ tenant: options.tenant, secret })]
  const fleet = createFleet({
    databaseUrl: context.environment.databaseUrl,
    ownerUrl: context.environment.ownerUrl,
    listenUrl: context.environment.listenUrl,
    ...furtherDatabases(context.environment),
    dataDirectory: options.dataDirectory,
    // On a server too: this is development, and the key is kept beside the rest of it.
    keys: keyServiceOf(context.environment) ?? developmentKeys(options.dataDirectory),
    handlers: app.handlers ?? [],
    templates: app.templates ?? [],
    webhooks,
    onProgress: (step) => terminal.line(`· ${step}`),
  })
  logTrouble(fleet, terminal)
  await fleet.start()
  try {
    for (const slug of [options.tenant, ...(app.tenants ?? [])]) await fleet.tenants.provision(slug)
    const server = await listen(fleet, options, terminal)
    try {
      greet(fleet, server, options, terminal)
      await work(fleet, server, secret, modulePath === undefined && options.feed, options, context)
    } finally {
      if (stop.aborted) terminal.line("stopping: no new work is taken, what runs may end")
      await server.close()
    }
  } finally {
    await fleet.stop({ graceMs: STOP_GRACE_MS })
  }
  if (stop.aborted) terminal.line("stopped; everything accepted is kept and goes on with the next start")
}

async function work(
  fleet: Fleet,
  server: RunningServer,
  secret: string,
  isFed: boolean,
  options: DevOptions,
  context: CommandContext,
): Promise<void> {
  const { stop, terminal } = context
  const url = `${server.url}/v1/webhooks/github`
  const fed = isFed
    ? await feedDemo({
        fleet,
        url,
        secret,
        stop,
        terminal,
        tenant: options.tenant,
        rate: options.once ? undefined : options.rate,
      })
    : undefined
  if (options.once && !stop.aborted) return reportOnce(fleet.tenant(options.tenant), fed, options.json, context)
  await aborted(stop)
}

async function listen(fleet: Fleet, { port, tenant }: DevOptions, terminal: Terminal): Promise<RunningServer> {
  const handler = createFetchHandler(fleet, {
    authenticate: () => ({ kind: "host", id: "dev", tenant, role: "owner" }),
    allowedHosts: LOCAL_HOSTS,
    // The demo feeds itself, as fast as it can.
    limits: false,
    onError: (error) => terminal.line(`! a request failed: ${String(error)}`),
  })
  try {
    return await serve(handler, { port })
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error) || error.code !== "EADDRINUSE") throw error
    terminal.line(`· port ${port} is taken, using a free one`)
    return serve(handler, { port: 0 })
  }
}

function greet(fleet: Fleet, server: RunningServer, { tenant, dataDirectory }: DevOptions, terminal: Terminal): void {
  if (fleet.databaseKind === "embedded") {
    terminal.line(
      `· embedded database in ${dataDirectory}: for development, one process; a loss of power may cost the last writes.`,
    )
    terminal.line("  Set DATABASE_URL=postgres://… to use a server.")
  }
  terminal.line(`\n  Page      ${server.url}/   (tenant ${tenant})`)
  terminal.line(`  Webhook   ${server.url}/v1/webhooks/github`)
  terminal.line("  Ctrl-C stops it.\n")
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }))
}
