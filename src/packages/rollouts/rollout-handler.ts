import type { Handler, HandlerContext } from "../../delivery/handler-definition.ts"
import { defineHandler } from "../../delivery/handler.ts"
import { type Snooze, snooze } from "../../delivery/outcome.ts"
import type { FanOutTarget } from "../../emit/fan-out.ts"
import { PLATFORM } from "../../guard/slug.ts"
import type { JsonValue } from "../../signal/json.ts"
import { advanceRollout } from "./advance-rollout.ts"
import type { RolloutsDeps } from "./rollouts-deps.ts"

/** Type of the platform's signal on which a rollout is taken up. */
export const ROLLOUT_REQUESTED = "package.rollout.requested"

/** Name of the built-in handlers: it is followed by the check that each of them can ask. */
const ROLLOUTS = "fleetprompt.rollouts"
const TIMEOUT_MS = 3_600_000
/** Only the database can fail it. */
const ATTEMPTS = 1_000

/** What such a signal says. */
interface Requested {
  readonly rollout_id: string
  readonly run: number
  readonly check: string
}

/** The built-in handler of the rollouts that have one check as their gate: a process that lacks the check takes none. */
export function rolloutHandler(check: string, deps: () => RolloutsDeps): Handler {
  return Object.freeze({ ...worker(deps), name: nameFor(check) })
}

/** Where the platform's signals of rollouts lead. */
export function rolloutRoute(): FanOutTarget {
  const nowhere = (): never => {
    throw new Error("a route is not run")
  }
  return { ...worker(nowhere), nameFor: ({ data }) => nameFor(requestedOf(data).check) }
}

function nameFor(check: string): string {
  return `${ROLLOUTS}.${check}`
}

function worker(deps: () => RolloutsDeps): Handler {
  return defineHandler({
    name: ROLLOUTS,
    on: ROLLOUT_REQUESTED,
    where: ({ tenant }) => tenant === PLATFORM,
    key: ({ data }) => requestedOf(data).rollout_id,
    concurrency: { perKey: 1 },
    timeoutMs: TIMEOUT_MS,
    retry: { attempts: ATTEMPTS, backoff: { firstMs: 500, longestMs: 30_000 } },
    replay: "skip",
    run: (context: HandlerContext) => run(context, deps()),
  })
}

async function run({ signal, abort }: HandlerContext, deps: RolloutsDeps): Promise<Snooze | undefined> {
  const { rollout_id: id, run: nth } = requestedOf(signal.data)
  const laterMs = await advanceRollout({ id, run: nth }, deps, abort)
  return laterMs === undefined ? undefined : snooze(laterMs)
}

/** Only the door emits such signals, into the platform's own schema. */
function requestedOf(data: JsonValue): Requested {
  return data as unknown as Requested
}
