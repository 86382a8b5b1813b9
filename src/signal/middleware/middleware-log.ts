import type { SignalLogger } from "../dispatch/adapter-logger.ts"
import type { DispatchOutcome, Middleware, PublishOutcome } from "./middleware.ts"
import type { Signal } from "../signal.ts"

/** How `log` writes. */
export interface LogMiddlewareOptions {
  /** Level of what went well. Default "debug". */
  readonly level?: "debug" | "info"
}

/**
 * Middleware that writes what becomes of each publish and each dispatch: what went well at `level`, what
 * was passed by at "info", what was refused or is tried again at "warn", what failed for good at "error".
 * Never a signal's data. Put it first in the stack, so that it sees what the others decide.
 *
 * @example
 * const bus = createBus({ middleware: [log(console)] })
 */
export function log(logger: SignalLogger, { level = "debug" }: LogMiddlewareOptions = {}): Middleware {
  return {
    name: "log",
    afterPublish: (signal, outcome) => {
      logger[publishLevel(outcome, level)](fieldsOf(signal, outcome), `signal ${outcome.kind}`)
    },
    afterDispatch: (signal, outcome, { path, subscription, attempt }) => {
      const fields = { ...fieldsOf(signal, outcome), path, subscription, attempt }
      logger[dispatchLevel(outcome, level)](fields, `signal ${outcome.kind} for ${subscription}`)
    },
  }
}

type Level = keyof SignalLogger

function publishLevel({ kind }: PublishOutcome, level: Level): Level {
  switch (kind) {
    case "published":
      return level
    case "skipped":
      return "info"
    case "halted":
      return "warn"
  }
}

function dispatchLevel(outcome: DispatchOutcome, level: Level): Level {
  switch (outcome.kind) {
    case "delivered":
      return level
    case "skipped":
      return "info"
    case "halted":
    case "failed":
      return outcome.final ? "error" : "warn"
  }
}

function fieldsOf(
  { id, type, source }: Signal,
  outcome: PublishOutcome | DispatchOutcome,
): Readonly<Record<string, unknown>> {
  const { kind: _, ...rest } = outcome
  return { id, type, source, ...rest }
}
