import { type ChildProcess, execFile, fork } from "node:child_process"
import { once } from "node:events"
import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import type { Ground } from "./ground.ts"
import { type Figures, limitOf, type Result, type Scale, type Scenario } from "./scenario.ts"
import { SCENARIO_VARIABLE, type ScenarioConfig, type ScenarioMessage } from "./scenario-process.ts"

/** How long a scenario whose time is over may take to close what it opened, milliseconds. */
const CLOSING_MS = 30_000
const MAX_STDERR = 4_000

/** Runs a scenario in a process of its own, which is killed with all that it started when its time is over. */
export async function runScenario(
  scenario: Scenario,
  {
    scale,
    ground,
    log,
    abort,
  }: {
    readonly scale: Scale
    readonly ground: Ground
    readonly log: (text: string) => void
    readonly abort: AbortSignal
  },
): Promise<Result> {
  const startedAt = performance.now()
  const { id, title, invariants } = scenario
  const directory = join(ground.directory, id)
  await mkdir(directory, { mode: 0o755 })
  const config: ScenarioConfig = { id, scale, template: ground.template, ledgerServerUrl: ground.ledgerServerUrl }
  const child = fork(fileURLToPath(new URL("scenario-process.js", import.meta.url)), {
    // A group of its own: then all of it can be ended, and Ctrl-C does not reach it before us.
    detached: true,
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    env: { ...process.env, TMPDIR: directory, [SCENARIO_VARIABLE]: JSON.stringify(config) },
  })
  const { figures, error } = await endOf(child, limitOf(scenario, scale), log, abort)
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10
  const held = error === undefined
  return { scenario: id, title, held, invariants, figures, seconds, ...(!held && { error }) }
}

async function endOf(
  child: ChildProcess,
  limitMs: number,
  log: (text: string) => void,
  abort: AbortSignal,
): Promise<{ readonly figures: Figures; readonly error?: string }> {
  let ended: Extract<ScenarioMessage, { kind: "ended" }> | undefined
  let stderr = ""
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr = (stderr + text).slice(-MAX_STDERR)))
  child.on("message", (message: ScenarioMessage) => {
    if (message.kind === "log") log(message.text)
    else ended = message
  })
  let killer: NodeJS.Timeout | undefined
  const giveUp = (): void => {
    if (child.connected) child.send("time is over", () => {})
    killer ??= setTimeout(() => void killTree(child), CLOSING_MS)
  }
  const limit = setTimeout(giveUp, limitMs)
  abort.addEventListener("abort", giveUp)
  if (abort.aborted) giveUp()
  // Its own end, not that of its stderr, which others may hold open.
  const [code, signal] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null]
  clearTimeout(limit)
  clearTimeout(killer)
  abort.removeEventListener("abort", giveUp)
  await killTree(child)
  if (ended) return ended
  const why = killer
    ? "its time was over, and it did not close what it had opened"
    : `its process ended with ${code ?? signal}`
  return { figures: {}, error: `${why}${stderr && `: ${stderr.trim()}`}` }
}

/** Ends a scenario's process group and the descendants that left it, such as the backends of a Postgres. */
async function killTree({ pid }: ChildProcess): Promise<void> {
  if (pid === undefined) return
  const { stdout } = await promisify(execFile)("ps", ["-A", "-o", "pid=,ppid=,pgid="])
  const rows = stdout.split("\n").map((line) => line.trim().split(/\s+/).map(Number))
  const doomed = new Set(rows.filter(([, , group]) => group === pid).map(([each]) => each))
  // Parents have been there before their children, but their numbers may have come round.
  for (let found = -1; found !== doomed.size;) {
    found = doomed.size
    for (const [each, parent] of rows) if (doomed.has(parent)) doomed.add(each)
  }
  for (const each of doomed) {
    try {
      if (each !== undefined) process.kill(each, "SIGKILL")
    } catch {
      // It ended by itself.
    }
  }
}
