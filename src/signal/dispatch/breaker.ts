import { FleetPromptError } from "../../errors.ts"
import { DispatchError } from "./dispatch-error.ts"

/*
 * One circuit for each endpoint that fails:
 *
 *   closed ──(n failures in a row)──▶ open ──(time)──▶ half open ──(the trial arrives)──▶ closed
 *                                      ▲                   │
 *                                      └──(the trial fails)┘
 *
 * The map below is the authority. It holds only circuits with a failure: an endpoint that is not in
 * it is closed. Whether an open circuit is half open by now, the clock tells at the moment of asking.
 * A result that comes in after its circuit opened says nothing new and is dropped.
 */

/** What an attempt says about its endpoint: it works, it does not, or neither can be told. */
export type BreakerVerdict = "alive" | "failing" | "unknown"

/** How an endpoint stands. */
export type BreakerState =
  /** Everything goes through. `failures` is how many there were in a row. */
  | { readonly kind: "closed"; readonly failures: number }
  /** Nothing goes through before `retryAtMs`, milliseconds since 1970. */
  | { readonly kind: "open"; readonly retryAtMs: number }
  /** One attempt may go through, or is under way. */
  | { readonly kind: "half_open"; readonly trial: "waiting" | "under_way" }

/** What a breaker reads. */
export interface BreakerOptions {
  /** Failures in a row that open a circuit. Default 5. */
  readonly failures?: number
  /** How long it stays open, milliseconds. Default 30,000. */
  readonly openMs?: number
  /** Endpoints with failures that are remembered; past it the one whose last failure is oldest is forgotten. Default 10,000. */
  readonly maxEndpoints?: number
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number
}

/** Keeps callers away from endpoints that fail. */
export interface Breaker {
  /**
   * Runs an attempt, unless the endpoint's circuit is open. An attempt must end some day, since the
   * trial of a half-open circuit is the only one.
   *
   * @param verdict what a rejection says about the endpoint. Default: it is failing.
   * @throws DispatchError `circuit_open`, whose `retryAtMs` says when it may be tried
   */
  readonly run: <Result>(
    endpoint: string,
    attempt: () => Promise<Result>,
    verdict?: (error: unknown) => BreakerVerdict,
  ) => Promise<Result>
  /** How an endpoint stands now. */
  readonly state: (endpoint: string) => BreakerState
}

/** Longest wait asked of callers while another one's trial is under way, milliseconds. */
const TRIAL_WAIT_MS = 1_000

interface Circuit {
  readonly failures: number
  /** When the last failure opened it; undefined while it is closed. */
  readonly openedAt: number | undefined
  /** The permit of the trial under way. */
  readonly trial: Permit | undefined
}

interface Permit {
  readonly endpoint: string
}

/**
 * Makes a breaker. Give the same one to several adapters to let them share what they learn.
 *
 * @throws FleetPromptError `config_invalid`
 * @example
 * const breaker = createBreaker({ failures: 3 })
 * await breaker.run("https://api.example.com/", () => send(signal))
 * breaker.state("https://api.example.com/") // { kind: "closed", failures: 0 }
 */
export function createBreaker(options: BreakerOptions = {}): Breaker {
  const threshold = positiveInteger("failures", options.failures ?? 5)
  const openMs = positiveInteger("openMs", options.openMs ?? 30_000)
  const maxEndpoints = positiveInteger("maxEndpoints", options.maxEndpoints ?? 10_000)
  const now = options.now ?? Date.now
  const circuits = new Map<string, Circuit>()

  const stateOf = (circuit: Circuit | undefined): BreakerState => {
    if (circuit?.openedAt === undefined) return { kind: "closed", failures: circuit?.failures ?? 0 }
    const elapsed = now() - circuit.openedAt
    // A clock that was set back makes it negative; without this the circuit would stay open for as long.
    if (elapsed >= 0 && elapsed < openMs) return { kind: "open", retryAtMs: circuit.openedAt + openMs }
    return { kind: "half_open", trial: circuit.trial ? "under_way" : "waiting" }
  }

  const remember = (endpoint: string, circuit: Circuit): void => {
    circuits.delete(endpoint)
    circuits.set(endpoint, circuit)
    const [oldest] = circuits.keys()
    if (circuits.size > maxEndpoints && oldest !== undefined) circuits.delete(oldest)
  }

  const admit = (endpoint: string): Permit => {
    const permit = { endpoint }
    const circuit = circuits.get(endpoint)
    const state = stateOf(circuit)
    if (state.kind === "closed" || circuit === undefined) return permit
    if (state.kind === "open") throw circuitOpen(circuit.failures, state.retryAtMs)
    if (state.trial === "under_way") throw circuitOpen(circuit.failures, now() + TRIAL_WAIT_MS)
    circuits.set(endpoint, { ...circuit, trial: permit })
    return permit
  }

  const settle = (permit: Permit, verdict: BreakerVerdict): void => {
    const circuit = circuits.get(permit.endpoint)
    const isTrial = circuit?.trial === permit
    if (circuit?.openedAt !== undefined && !isTrial) return
    const failures = (circuit?.failures ?? 0) + 1
    const opens = isTrial || failures >= threshold
    if (verdict === "alive") circuits.delete(permit.endpoint)
    else if (verdict === "failing")
      remember(permit.endpoint, { failures, openedAt: opens ? now() : undefined, trial: undefined })
    else if (isTrial) circuits.set(permit.endpoint, { ...circuit, trial: undefined })
  }

  const run: Breaker["run"] = async (endpoint, attempt, judge = () => "failing") => {
    const permit = admit(endpoint)
    let verdict: BreakerVerdict = "unknown"
    try {
      const result = await attempt()
      verdict = "alive"
      return result
    } catch (error) {
      verdict = judge(error)
      throw error
    } finally {
      settle(permit, verdict)
    }
  }

  return { run, state: (endpoint) => stateOf(circuits.get(endpoint)) }
}

function circuitOpen(failures: number, retryAtMs: number): DispatchError {
  const when = new Date(retryAtMs).toISOString()
  return new DispatchError(
    "circuit_open",
    `expected an endpoint that answers, but it failed ${failures} times in a row; it is left alone until ${when}`,
    { retryAtMs },
  )
}

function positiveInteger(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new FleetPromptError("config_invalid", `expected a whole number above 0 as ${name}, got ${value}`, {
    path: name,
  })
}
