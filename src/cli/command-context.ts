import type { Environment } from "../config.ts"
import type { Terminal } from "./terminal.ts"

/** What a command is given from outside. */
export interface CommandContext {
  readonly environment: Environment
  readonly terminal: Terminal
  /** Where results for programs go. */
  readonly output: (text: string) => void
  /** Fires when the process is to stop. */
  readonly stop: AbortSignal
}
