import { booleanOption, refuseUnknownOptions } from "./adapter-options.ts"
import type { DispatchAdapter } from "./dispatch-adapter.ts"
import type { Signal } from "../signal.ts"

/** How `consoleAdapter` is set up. */
export interface ConsoleSettings {
  /** Prints one line. Default `console.log`. */
  readonly print?: (line: string) => void
}

/** The checked options of the adapter `console`. */
export interface ConsoleOptions {
  /** Whether the line ends with the signal's data. */
  readonly data: boolean
}

/** Longest line, in UTF-16 units. */
const MAX_LINE = 2_000
/** What moves a terminal's cursor, changes its colours, or turns its text around. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\u2028\u2029]/gu

/**
 * Prints signals, one line each, for people at a terminal. Characters that would act on the terminal
 * are escaped, and long lines are cut.
 *
 * @example
 * const dispatcher = createDispatcher({ adapters: [consoleAdapter()] })
 * await dispatcher.dispatch(signal, { to: "console" })
 * // 2026-01-31T12:00:00.000Z lead.received from /crm about lead:123 {"leadId":"123"}
 */
export function consoleAdapter(settings: ConsoleSettings = {}): DispatchAdapter<ConsoleOptions> {
  const print = settings.print ?? ((line: string) => console.log(line))
  return {
    name: "console",
    validate: (options) => {
      refuseUnknownOptions(options, ["data"])
      return { data: booleanOption(options, "data", true) }
    },
    deliver: (signal, { data }) => print(lineOf(signal, data)),
  }
}

function lineOf({ time, type, source, subject, data, data_base64 }: Signal, withData: boolean): string {
  const about = subject === undefined ? "" : ` about ${subject}`
  const shown = data_base64 === undefined ? JSON.stringify(data) : "(bytes)"
  const line = `${time} ${type} from ${source}${about}${withData ? ` ${shown}` : ""}`
  const cut = line.length <= MAX_LINE ? line : `${line.slice(0, MAX_LINE - 1).toWellFormed()}…`
  return cut.replaceAll(UNPRINTABLE, escape)
}

function escape(char: string): string {
  return `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`
}
