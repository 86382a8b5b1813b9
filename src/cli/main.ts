#!/usr/bin/env node
import { readFileSync } from "node:fs"
import { Command, InvalidArgumentError } from "commander"
import { readEnvironment } from "../config.ts"
import { DEFAULT_WORKER_SETTINGS } from "../delivery/worker.ts"
import { isFleetPromptError } from "../errors.ts"
import { addAuditCommands } from "./audit-commands.ts"
import { dev, type DevOptions } from "./dev.ts"
import { addDoctorCommand } from "./doctor.ts"
import { DEFAULT_CONCURRENCY } from "../tenants/migrations/migration-handler.ts"
import { migrate, type MigrateOptions } from "./migrate.ts"
import { start, type StartOptions } from "./start.ts"
import { stopSignal } from "./stop-signals.ts"
import { addKeyCommands } from "./keys.ts"
import { addPackageCommands } from "./packages.ts"
import { addTenantCommands } from "./tenants.ts"
import { createTerminal } from "./terminal.ts"
import { worker, type WorkerOptions } from "./worker.ts"

const terminal = createTerminal(process.stderr)

const program = new Command("fleetprompt")
  .description("Durable, multi-tenant automation for Node.js and Postgres.")
  .version(readVersion())
  .showHelpAfterError("(run with --help for the options)")

program
  .command("dev")
  .description("Run a fleet with its page on this machine: the demo, or the handlers of a module.")
  .argument("[module]", "a module that exports default { handlers, webhooks, tenants }; without it the demo runs")
  .option("--port <number>", "port of the page and the webhooks; another is taken when it is in use", wholeNumber, 4400)
  .option("--data-directory <path>", "files of the embedded database (not used with DATABASE_URL)", ".fleetprompt/data")
  .option("--tenant <slug>", "the tenant that is created and shown", "demo")
  .option("--rate <number>", "events a second that the demo feeds", wholeNumber, 20)
  .option("--no-feed", "do not feed the demo's events")
  .option("--once", "feed everything at full speed, wait until it is handled, print a table and end", false)
  .option("--json", "with --once: print one JSON object instead of the table", false)
  .addHelpText(
    "after",
    `
Examples:
  fleetprompt dev                      the demo: real GitHub events, handled live
  fleetprompt dev ./app.js --port 8080 your own handlers
  fleetprompt dev --once --json        run through and report
  DATABASE_URL=postgres://user@host/db fleetprompt dev`,
  )
  .action((module: string | undefined, options: DevOptions) => dev(module, options, commandContext()))

program
  .command("start")
  .description("Run the server that a team uses: page, API, webhooks, handlers and sign-in.")
  .argument("[module]", "a module that exports default { handlers, webhooks, tenants, signIn }")
  .option("--port <number>", "where to listen; 0 takes a free port (default: PORT, else 4400)", wholeNumber)
  .option("--host <address>", "at which address of this machine; 0.0.0.0 for other machines", "127.0.0.1")
  .option("--data-directory <path>", "files of the embedded database (not used with DATABASE_URL)", ".fleetprompt/data")
  .option("--grace <seconds>", "how long running handlers may take to end after SIGTERM", wholeNumber, 30)
  .addHelpText(
    "after",
    `
Environment:
  DATABASE_URL        a Postgres server; without it the embedded database
  PUBLIC_URL          where people reach the server; https, but on this machine (default: http://localhost:<port>)
  FLEETPROMPT_KEYS    the key ring, from fleetprompt keys generate; or FLEETPROMPT_KEYS_FILE
  FLEETPROMPT_SECRET  what sessions are signed with, 32 characters at least (default: a key of the key ring)
  TRUSTED_PROXIES     proxies whose X-Forwarded-For is believed, such as 10.0.0.0/8
  METRICS_TOKEN       serves /metrics to whoever shows it as a bearer token

The first start prints a link, good once and for an hour, that makes the first owner.`,
  )
  .action((module: string | undefined, options: StartOptions) => start(module, options, commandContext()))

program
  .command("worker")
  .description("Run the handlers of a module, and nothing else, on the server at DATABASE_URL.")
  .argument("[module]", "a module that exports default { handlers }; without it the demo's handlers run")
  .option("--concurrency <number>", "handlers running at once", positiveNumber, DEFAULT_WORKER_SETTINGS.concurrency)
  .option("--health-port <number>", "serve /health, /ready and /metrics there; 0 takes a free port", wholeNumber)
  .option("--health-host <address>", "where to serve them; 0.0.0.0 for other machines", "127.0.0.1")
  .option("--grace <seconds>", "how long running handlers may take to end after SIGTERM", wholeNumber, 30)
  .option("--verbose", "print a line a minute with counts", false)
  .addHelpText(
    "after",
    `
Environment:
  DATABASE_URL         a Postgres server, or a PgBouncer before it
  DATABASE_LISTEN_URL  that server directly, when DATABASE_URL leads to a PgBouncer
  METRICS_TOKEN        what a scrape of /metrics must show as a bearer token

Examples:
  fleetprompt worker ./app.js
  fleetprompt worker ./app.js --concurrency 32 --health-port 8080 --health-host 0.0.0.0`,
  )
  .action((module: string | undefined, options: WorkerOptions) => worker(module, options, commandContext()))

program
  .command("migrate")
  .description("Bring the schemas of the platform and of all tenants up to this release.")
  .option("--status", "only tell how the schemas stand", false)
  .option("--dry-run", "only tell what would be done", false)
  .option("--tenant <slug>", "only this tenant's schema; * is the one that tenants share")
  .option("--concurrency <number>", "schemas migrated at once", positiveNumber, DEFAULT_CONCURRENCY)
  .option("--retry-failed", "try again what failed", false)
  .option("--breaking", "also run migrations that processes of the release before cannot work with", false)
  .option("--data-directory <path>", "files of the embedded database (not used with DATABASE_URL)", ".fleetprompt/data")
  .option("--json", "print one JSON object", false)
  .addHelpText(
    "after",
    `
Exit code: 0 when nothing failed, 1 when a tenant is in quarantine, 130 when it was stopped.
It may be stopped at any time, and run by several processes: whoever comes next goes on.

Examples:
  fleetprompt migrate                  everything, with a progress bar
  fleetprompt migrate --status         how many tenants have which version, and what failed
  fleetprompt migrate --retry-failed   after the cause was mended`,
  )
  .action((options: MigrateOptions) => migrate(options, commandContext()))

addAuditCommands(program, commandContext)
addDoctorCommand(program, commandContext)
addKeyCommands(program, commandContext)
addPackageCommands(program, commandContext)
addTenantCommands(program, commandContext)

function commandContext() {
  return {
    environment: readEnvironment(process.env),
    terminal,
    output: (text: string) => void process.stdout.write(`${text}\n`),
    stop: stopSignal(),
  }
}

function wholeNumber(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError("expected a whole number.")
  return value
}

function positiveNumber(text: string): number {
  const value = wholeNumber(text)
  if (value === 0) throw new InvalidArgumentError("expected a whole number above 0.")
  return value
}

function readVersion(): string {
  // The package's own manifest, two folders up from dist/cli.
  const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string
  }
  return manifest.version
}

try {
  await program.parseAsync()
  process.exit()
} catch (error) {
  terminal.line(
    isFleetPromptError(error) ? `fleetprompt: ${error.message} (${error.code})` : `fleetprompt: ${String(error)}`,
  )
  process.exit(1)
}
