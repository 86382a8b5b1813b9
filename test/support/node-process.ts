import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { pathToFileURL } from "node:url"
import { join } from "node:path"
import { onTestFinished } from "vitest"

const DIST = pathToFileURL(join(import.meta.dirname, "..", "..", "dist", "/")).href

/** A process of its own that runs a piece of JavaScript against the built library. */
export interface NodeProcess {
  readonly pid: number
  /** The next line it prints; rejects when it ends before. */
  readonly nextLine: () => Promise<string>
  /** Writes a line to its input. */
  readonly tell: (line: string) => void
  readonly kill: (signal: NodeJS.Signals) => Promise<void>
}

/**
 * Starts Node with a script, an ES module in which `dist` is the URL of the built library's folder and
 * `args` are its arguments. It is killed with the test when it still runs.
 */
export function startNode(script: string, ...args: readonly string[]): NodeProcess {
  const prelude = `const dist = ${JSON.stringify(DIST)}; const args = ${JSON.stringify(args)};`
  const child = spawn(process.execPath, ["--input-type=module", "-e", prelude + script], {
    stdio: ["pipe", "pipe", "pipe"],
  })
  const closed = once(child, "close")
  onTestFinished(async () => {
    child.kill("SIGKILL")
    await closed
  })
  let complaint = ""
  child.stderr.setEncoding("utf8").on("data", (text: string) => (complaint += text))
  // A process that was killed no longer reads.
  child.stdin.on("error", () => {})
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    pid: child.pid ?? 0,
    tell: (line) => child.stdin.write(`${line}\n`),
    nextLine: async () => {
      const { done, value } = await lines.next()
      if (done === true) throw new Error(`the process ended: ${complaint}`)
      return value
    },
    kill: async (signal) => {
      child.kill(signal)
      await closed
    },
  }
}
