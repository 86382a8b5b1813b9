import { maskThrown } from "../delivery/mask-thrown.ts"
import { FleetPromptError } from "../errors.ts"
import type { RevealedSecrets } from "../guard/revealed.ts"
import { describeThrown, knownCode } from "../telemetry/thrown.ts"
import type { DirectiveFailure } from "./directive.ts"

const MAX_KIND = 100

/** What is kept of what an attempt threw: bounded, and without what looks like a secret or was revealed. */
export function failureOf(thrown: unknown, revealed?: RevealedSecrets): DirectiveFailure {
  const { message, stack: _, ...details } = describeThrown(maskThrown(thrown, revealed))
  const code = knownCode(thrown) ?? details["code"]
  const kind = typeof code === "string" && code !== "" ? code.slice(0, MAX_KIND) : "error"
  return { kind, message: String(message), details }
}

/** Why a directive ends on somebody's word. */
export function cancelled(reason: string | null): DirectiveFailure {
  return { kind: "cancelled", message: reason ?? "it was cancelled while it ran", details: {} }
}

/** Why a directive ends that did not begin in time. */
export const expired: DirectiveFailure = {
  kind: "expired",
  message: "it had not begun when it expired",
  details: {},
}

/** Why a directive fails whose runs took their process down, or lost it, as often as it may be tried. */
export function workerLost(attempts: number): DirectiveFailure {
  const message = `the process that ran it went away in each of ${attempts} attempts`
  return { kind: "worker_lost", message, details: {} }
}

/** Why a directive fails whose type no process defines any more. */
export function undefinedType(type: string): DirectiveFailure {
  return { kind: "directive_unknown", message: `no process that came to it defines "${type}"`, details: {} }
}

/** What fires the signal of a run that is to be cancelled. */
export function toBeCancelled(): FleetPromptError {
  return new FleetPromptError("directive_cancelled", "the directive is to be cancelled: its run ends, and is undone")
}

/** What fires the signal of a run that another one has taken over. */
export function takenOver(): FleetPromptError {
  return new FleetPromptError("directive_state", "the directive was taken over by another run, or has ended")
}

/** What fires the signal of a run that took too long. */
export function timedOut(type: string, ms: number): FleetPromptError {
  return new FleetPromptError(
    "directive_timeout",
    `expected a run of ${type} to finish within ${ms} ms, it did not; raise timeoutMs or do less in it`,
  )
}
