import { booleanOption, choiceOption, refuseUnknownOptions } from "./adapter-options.ts"
import type { DispatchAdapter } from "./dispatch-adapter.ts"

/** Writes one entry: fields, then a message. */
export type LogFunction = (fields: Readonly<Record<string, unknown>>, message: string) => unknown

/** A logger that takes fields first, as pino does; `console` fits too. */
export interface SignalLogger {
  readonly debug: LogFunction
  readonly info: LogFunction
  readonly warn: LogFunction
  readonly error: LogFunction
}

/** How `loggerAdapter` is set up. */
export interface LoggerSettings {
  readonly logger: SignalLogger
}

/** The checked options of the adapter `logger`. */
export interface LoggerOptions {
  readonly level: keyof SignalLogger
  /** Whether the entry has the signal's data. */
  readonly data: boolean
}

/**
 * Writes signals to a log: the fields `id`, `type`, `source`, `time`, `attempt`, and `subject` where
 * there is one. Data stays out of it unless asked for, because it may hold what no log should.
 *
 * @example
 * const dispatcher = createDispatcher({ adapters: [loggerAdapter({ logger: pino() })] })
 * await dispatcher.dispatch(signal, { to: "logger", level: "debug" })
 */
export function loggerAdapter({ logger }: LoggerSettings): DispatchAdapter<LoggerOptions> {
  return {
    name: "logger",
    validate: (options) => {
      refuseUnknownOptions(options, ["level", "data"])
      return {
        level: choiceOption(options, "level", ["debug", "info", "warn", "error"], "info"),
        data: booleanOption(options, "data", false),
      }
    },
    deliver: (signal, options, { attempt }) => {
      const { id, type, source, subject, time } = signal
      const fields = { id, type, source, ...(subject !== undefined && { subject }), time, attempt }
      logger[options.level](options.data ? { ...fields, data: signal.data } : fields, `signal ${type}`)
    },
  }
}
