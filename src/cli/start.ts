import { once } from "node:events"
import { FleetPromptError } from "../errors.ts"
import { createFleet, type Fleet } from "../fleet.ts"
import type { FetchHandler } from "../server/fetch-handler.ts"
import { type RunningServer, serve } from "../server/serve.ts"
import type { Mail } from "../server/sign-in/mail.ts"
import { createSignIn, type SignIn } from "../server/sign-in/sign-in.ts"
import { standaloneHandler } from "../server/standalone-handler.ts"
import { type AppModule, loadAppModule } from "./app-module.ts"
import type { CommandContext } from "./command-context.ts"
import { fleetSettings } from "./fleet-settings.ts"
import type { Terminal } from "./terminal.ts"
import { logTrouble } from "./watch-fleet.ts"

/** Options of `fleetprompt start`. */
export interface StartOptions {
  /** Where to listen; without it `PORT`, else 4400. */
  readonly port?: number
  /** At which address of this machine. */
  readonly host: string
  /** Where the embedded database is, when there is no `DATABASE_URL`. */
  readonly dataDirectory: string
  /** How long running handlers may take to end when the process is to stop, seconds. */
  readonly grace: number
}

const DEFAULT_PORT = 4_400

/**
 * Runs the server that a team uses: the page, the API, webhooks, handlers and sign-in, until the process is asked to
 * stop.
 *
 * @throws FleetPromptError `config_invalid`, `peer_missing`
 */
export async function start(
  modulePath: string | undefined,
  options: StartOptions,
  context: CommandContext,
): Promise<void> {
  const { environment, terminal, stop } = context
  const app: AppModule = modulePath === undefined ? {} : await loadAppModule(modulePath)
  const fleet = createFleet({
    ...fleetSettings(environment, options.dataDirectory),
    handlers: app.handlers ?? [],
    templates: app.templates ?? [],
    webhooks: app.webhooks ?? [],
    onProgress: (step) => terminal.line(`· ${step}`),
  })
  logTrouble(fleet, terminal)
  const door = new Door()
  const server = await serve(door, { hostname: options.host, port: portOf(options, environment.port) })
  try {
    await fleet.start()
    for (const slug of app.tenants ?? []) await fleet.tenants.provision(slug)
    const signIn = await openSignIn(fleet, server, app, context)
    door.handler = standaloneHandler(fleet, signIn, {
      metricsToken: environment.metricsToken,
      trustedProxies: environment.trustedProxies ?? [],
      onError: (error) => terminal.line(`! a request failed: ${String(error)}`),
    })
    await greet(fleet, signIn, server, publicUrlOf(server, context), terminal)
    if (!stop.aborted) await once(stop, "abort")
    terminal.line(`stopping: no new work is taken, what runs may end within ${options.grace} s`)
    await server.close()
    await signIn.settled()
  } finally {
    await server.close()
    await fleet.stop({ graceMs: options.grace * 1_000 })
  }
  terminal.line("stopped; everything accepted is kept and goes on with the next start")
}

/** Listens before the fleet is ready, so that whoever asks is told so. */
class Door implements FetchHandler {
  handler: FetchHandler | undefined

  fetch: FetchHandler["fetch"] = (request, connection) =>
    this.handler?.fetch(request, connection) ??
    new Response("starting\n", { status: 503, headers: { "retry-after": "1" } })

  close(): void {
    this.handler?.close()
  }
}

async function openSignIn(
  fleet: Fleet,
  server: RunningServer,
  app: AppModule,
  context: CommandContext,
): Promise<SignIn> {
  const { environment, terminal } = context
  const publicUrl = publicUrlOf(server, context)
  const isLocal = publicUrl.startsWith("http://")
  return createSignIn(fleet, {
    // Links in mails let their reader in, so they are printed on a developer's own machine alone.
    ...(isLocal && { sendMail: (mail) => printMail(mail, terminal) }),
    ...app.signIn,
    publicUrl,
    secret: environment.secret ?? Buffer.from(await fleet.keys.derive("sign_in")).toString("base64"),
    onError: (error) => terminal.line(`! sign-in: ${String(error)}`),
  })
}

/** Without `PUBLIC_URL` it is this machine alone. */
function publicUrlOf(server: RunningServer, { environment }: CommandContext): string {
  return environment.publicUrl ?? `http://localhost:${new URL(server.url).port}`
}

function portOf({ port }: StartOptions, fromEnvironment: string | undefined): number {
  const wanted = port ?? (fromEnvironment === undefined ? DEFAULT_PORT : Number(fromEnvironment))
  if (Number.isInteger(wanted) && wanted >= 0 && wanted <= 65_535) return wanted
  throw new FleetPromptError("config_invalid", `expected a port from 0 to 65535 as PORT, got "${fromEnvironment}"`)
}

function printMail({ to, subject, text }: Mail, terminal: Terminal): void {
  terminal.line(`\n· a mail to ${to}, which is printed since no sendMail is set: ${subject}\n\n${text}`)
}

async function greet(
  fleet: Fleet,
  signIn: SignIn,
  server: RunningServer,
  publicUrl: string,
  terminal: Terminal,
): Promise<void> {
  if (fleet.databaseKind === "embedded") {
    terminal.line(
      "· embedded database: one process; a loss of power may cost the last writes. Set DATABASE_URL to use a server.",
    )
  }
  terminal.line(`· listening on ${server.url}`)
  terminal.line(`\n  Page  ${publicUrl}/`)
  const link = await signIn.firstOwnerLink()
  if (link !== undefined) {
    terminal.line(
      `\n  Nobody is in charge yet. Set up your organisation with this link; it works once, within an hour:\n  ${link}`,
    )
  }
  terminal.line("\n  SIGTERM or Ctrl-C stops it.\n")
}
