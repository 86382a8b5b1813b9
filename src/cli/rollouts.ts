import { setTimeout as sleep } from "node:timers/promises"
import { type Command, InvalidArgumentError } from "commander"
import { actingFor } from "../access/acting.ts"
import { FleetPromptError } from "../errors.ts"
import type { Fleet } from "../fleet.ts"
import type { RolloutRequest, RolloutState } from "../packages/rollouts/rollouts-door.ts"
import type { CommandContext } from "./command-context.ts"
import { progressBar } from "./progress-bar.ts"
import { rolloutTable, rolloutText } from "./rollout-text.ts"
import { whoRuns, withFleet } from "./with-fleet.ts"

interface RolloutOptions {
  readonly dataDirectory: string
  readonly json: boolean
}

/** Options of what decides about a rollout. */
export interface DecideOptions extends RolloutOptions {
  readonly by?: string
  readonly reason?: string
  readonly watch: boolean
}

/** Options of `packages rollout start`. */
export interface StartOptions extends DecideOptions {
  readonly tenants?: readonly string[]
  readonly canary?: number
  readonly wave?: number
  readonly concurrency?: number
  readonly maxFailed?: number
  readonly gate?: string
  readonly gateWait?: number
}

const FAILED = 1
/** How often it is looked how far it got, milliseconds. */
const LOOK_MS = 500
/** Tenants that are shown with why they are as they are. */
const SHOWN = 50

/** Adds `fleetprompt packages rollout …`. @param add makes a command that opens the database */
export function addRolloutCommands(
  packages: Command,
  add: (parent: Command, name: string, description: string) => Command,
  contextOf: () => CommandContext,
): void {
  const rollout = packages
    .command("rollout")
    .description("Upgrade a package in many tenants: a canary first, then waves.")
  const decide = (name: string, description: string): Command =>
    add(rollout, name, description)
      .option("--reason <text>", "why, for people and the audit log")
      .option("--by <name>", "who decides, for the audit log; default: who runs the command")
      .option("--watch", "wait until it comes to rest; exit code 1 when it was stopped", false)
  decide("start <package> [version]", "Begin one; processes with a worker carry it on.")
    .option("--tenants <slugs>", "only these, with commas between; default: all that have it", listOf)
    .option("--canary <number>", "how many first; default 5", numberOf)
    .option("--wave <number>", "how many more in each wave; default 50", numberOf)
    .option("--concurrency <number>", "how many at once; default 10", numberOf)
    .option("--max-failed <number>", "how many upgrades may fail before it stops; default 0", numberOf)
    .option("--gate <check>", "name of the health gate; default deliveries.failed")
    .option("--gate-wait <milliseconds>", "how long after a wave the gate is asked; default 60000", numberOf)
    .action((slug: string, version: string | undefined, options: StartOptions) =>
      startRollout(slug, version, options, contextOf()),
    )
  add(rollout, "list [package]", "Print the rollouts, the newest first.").action(
    (slug: string | undefined, options: RolloutOptions) => listRollouts(slug, options, contextOf()),
  )
  add(rollout, "show <id>", "Print a rollout, how far it is, and what stood in its way.").action(
    (id: string, options: RolloutOptions) => showRollout(id, options, contextOf()),
  )
  decide("resume <id>", "Let one that was stopped go on.")
    .option("--to <version>", "with this version, which mends it")
    .action((id: string, options: DecideOptions & { readonly to?: string }) =>
      decideRollout("resume", id, options, contextOf()),
    )
  for (const what of ["cancel", "rollback"] as const)
    decide(`${what} <id>`, DESCRIPTIONS[what]).action((id: string, options: DecideOptions) =>
      decideRollout(what, id, options, contextOf()),
    )
}

const DESCRIPTIONS = {
  cancel: "Begin no further tenant, for good.",
  rollback: "Give the tenants that it upgraded back what they had.",
} as const

/** Begins a rollout. */
export async function startRollout(
  slug: string,
  version: string | undefined,
  options: StartOptions,
  context: CommandContext,
): Promise<void> {
  const { tenants, canary, wave, concurrency, maxFailed, gate, gateWait } = options
  const request: RolloutRequest = {
    package: slug,
    ...(version !== undefined && { to: version }),
    ...(tenants && { tenants }),
    ...(canary !== undefined && { canary }),
    ...(wave !== undefined && { wave }),
    ...(concurrency !== undefined && { concurrency }),
    ...(maxFailed !== undefined && { maxFailed }),
    gate: { ...(gate !== undefined && { check: gate }), ...(gateWait !== undefined && { waitMs: gateWait }) },
  }
  await withFleet(options, context, async (fleet) =>
    tellState(await fleet.packages.rollouts.start(request, decisionOf(options)), fleet, options, context),
  )
}

/** Resumes, cancels or rolls one back. */
export async function decideRollout(
  what: "resume" | "cancel" | "rollback",
  id: string,
  { to, ...options }: DecideOptions & { readonly to?: string },
  context: CommandContext,
): Promise<void> {
  await withFleet(options, context, async (fleet) => {
    const decision = { ...decisionOf(options), ...(to !== undefined && { to }) }
    await tellState(await fleet.packages.rollouts[what](id, decision), fleet, options, context)
  })
}

/** Prints the rollouts. */
export async function listRollouts(
  slug: string | undefined,
  options: RolloutOptions,
  context: CommandContext,
): Promise<void> {
  await withFleet(options, context, async ({ packages }) => {
    const rollouts = await packages.rollouts.list(slug === undefined ? {} : { package: slug })
    context.output(options.json ? JSON.stringify(rollouts) : rolloutTable(rollouts))
  })
}

/** Prints one rollout. */
export async function showRollout(id: string, options: RolloutOptions, context: CommandContext): Promise<void> {
  await withFleet(options, context, async (fleet) => {
    const found = await fleet.packages.rollouts.get(id)
    if (!found)
      throw new FleetPromptError(
        "rollout_unknown",
        "expected the id of a rollout, got another; see fleetprompt packages rollout list",
      )
    await tell(found, fleet, options, context)
  })
}

function decisionOf({ by, reason }: DecideOptions) {
  return { by: actingFor(whoRuns(by)), ...(reason !== undefined && { reason }) }
}

async function tellState(
  state: RolloutState,
  fleet: Fleet,
  options: DecideOptions,
  context: CommandContext,
): Promise<void> {
  const last = options.watch ? await untilRest(state, fleet, context) : state
  if (options.watch && last.status === "stopped") process.exitCode = FAILED
  await tell(last, fleet, options, context)
}

async function tell(
  state: RolloutState,
  fleet: Fleet,
  { json }: RolloutOptions,
  context: CommandContext,
): Promise<void> {
  if (json) return context.output(JSON.stringify(state))
  const states = ["failed", "suspended", "absent", "kept"] as const
  const told = await fleet.packages.rollouts.tenants(state.id, { states, limit: SHOWN })
  context.output(rolloutText(state, told))
}

async function untilRest(
  { id }: RolloutState,
  fleet: Fleet,
  { terminal, stop }: CommandContext,
): Promise<RolloutState> {
  const startedAt = performance.now()
  for (;;) {
    // Nobody removes one.
    const state = (await fleet.packages.rollouts.get(id)) as RolloutState
    const { done, total, wave } = state
    const where = wave === 0 ? "canary" : `wave ${wave}`
    terminal.progress(`${where} ${progressBar({ done, total, elapsedMs: performance.now() - startedAt })}`)
    if (stop.aborted || (state.status !== "running" && state.status !== "rolling_back")) return state
    await sleep(LOOK_MS, undefined, { signal: stop }).catch(() => {})
  }
}

function listOf(text: string): readonly string[] {
  return text.split(",").filter((slug) => slug !== "")
}

function numberOf(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError("expected a whole number.")
  return value
}
