import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { onTestFinished } from "vitest"

const MAIN = join(import.meta.dirname, "..", "..", "dist", "cli", "main.js")

/** A running `fleetprompt dev`, as a process of its own. */
export interface DevProcess {
  /** Address of its page, once it is printed. */
  readonly url: Promise<string>
  /** What it printed so far for people. */
  readonly printed: () => string
  /** Resolves when it has ended. */
  readonly ended: Promise<{
    readonly code: number | null
    readonly signal: NodeJS.Signals | null
    readonly stdout: string
    readonly stderr: string
  }>
  readonly kill: (signal: NodeJS.Signals) => void
}

/** Starts the built command. It is killed with the test when it still runs. */
export function startDev(args: readonly string[], env: Readonly<Record<string, string>> = {}): DevProcess {
  const { DATABASE_URL: _, ...rest } = process.env
  const child = spawn(process.execPath, [MAIN, "dev", "--port", "0", ...args], {
    env: { ...rest, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  })
  onTestFinished(() => void child.kill("SIGKILL"))
  let stdout = ""
  let stderr = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text))
  const url = new Promise<string>((resolve, reject) => {
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text
      const address = /Page\s+(http:\S+)\//.exec(stderr)?.[1]
      if (address !== undefined) resolve(address)
    })
    child.once("close", () => reject(new Error(`dev ended before it printed its address:\n${stderr}`)))
  })
  // Not every test asks for the address.
  url.catch(() => {})
  const ended = once(child, "close").then(([code, signal]) => ({ code, signal, stdout, stderr }))
  return { url, printed: () => stderr, ended, kill: (signal) => void child.kill(signal) }
}

/** A directory of the running test's own, removed after it. */
export async function testDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "fleetprompt-test-"))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}
