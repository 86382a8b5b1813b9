import { spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { onTestFinished } from "vitest"

const MAIN = join(import.meta.dirname, "..", "..", "dist", "cli", "main.js")

/** A running `fleetprompt …`, as a process of its own. */
export interface CommandProcess {
  /** Resolves with what a pattern finds in what it printed for people; rejects when it ends before. */
  readonly printed: (pattern: RegExp) => Promise<RegExpExecArray>
  /** Resolves when it has ended. */
  readonly ended: Promise<{ readonly code: number | null; readonly stderr: string }>
  readonly kill: (signal: NodeJS.Signals) => void
}

/** Starts the built `fleetprompt worker`. */
export function startWorker(args: readonly string[], env: Readonly<Record<string, string>> = {}): CommandProcess {
  return startCommand(["worker", ...args], env)
}

/** Starts the built `fleetprompt start`, on a port that is free. */
export function startStart(args: readonly string[], env: Readonly<Record<string, string>> = {}): CommandProcess {
  return startCommand(["start", "--port", "0", ...args], env)
}

/** Starts the built command. It is killed with the test when it still runs. */
function startCommand(args: readonly string[], env: Readonly<Record<string, string>>): CommandProcess {
  const { DATABASE_URL: _, PUBLIC_URL: __, ...rest } = process.env
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { ...rest, ...env },
    stdio: ["ignore", "ignore", "pipe"],
  })
  let stderr = ""
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text))
  const closed = once(child, "close")
  onTestFinished(async () => {
    child.kill("SIGKILL")
    await closed
  })
  const printed = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = pattern.exec(stderr)
        if (found) resolve(found)
      }
      child.stderr.on("data", look)
      child.once("close", () => reject(new Error(`${args[0]} ended before it printed ${pattern}:\n${stderr}`)))
      look()
    })
  const ended = closed.then(([code]) => ({ code, stderr }))
  return { printed, ended, kill: (signal) => void child.kill(signal) }
}
