import { execFile, spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"

const PROGRAMS = { prometheus: "/usr/bin/prometheus", promtool: "/usr/bin/promtool" }

/**
 * Whether Prometheus and promtool are installed. Tests skip without them.
 *
 * @throws Error when REQUIRE_TOOLS is set and one is missing
 */
export function hasPrometheus(): boolean {
  const missing = Object.values(PROGRAMS).find((program) => !existsSync(program))
  if (missing === undefined) return true
  if (process.env["REQUIRE_TOOLS"] !== undefined) throw new Error(`expected ${missing}; install prometheus`)
  process.stderr.write(`skipped: no ${missing}; install prometheus to run the tests of metrics\n`)
  return false
}

/** What `promtool check metrics` finds wrong with a scrape; empty when nothing is. */
export async function lintMetrics(text: string): Promise<string> {
  const running = promisify(execFile)(PROGRAMS.promtool, ["check", "metrics"])
  running.child.stdin?.end(text)
  return complaintOf(running)
}

/** What `promtool check rules` finds wrong with a file of rules; empty when nothing is. */
export function lintRules(path: string): Promise<string> {
  return complaintOf(promisify(execFile)(PROGRAMS.promtool, ["check", "rules", path]))
}

async function complaintOf(running: Promise<unknown>): Promise<string> {
  try {
    await running
    return ""
  } catch (error) {
    const { stdout = "", stderr = "", message } = error as Error & { stdout?: string; stderr?: string }
    return `${stdout}${stderr}` || message
  }
}

/** A Prometheus of our own. */
export interface PrometheusServer {
  /** The values that a query has now, by the text of their labels. */
  readonly query: (query: string) => Promise<Readonly<Record<string, number>>>
  /** The `data` of an answer of its API, for example of `rules`. */
  readonly get: (path: string) => Promise<unknown>
  readonly stop: () => Promise<void>
}

/**
 * Starts a Prometheus on a free port of 127.0.0.1 that scrapes `/metrics` of an address several times a second.
 *
 * @param token shown to the address
 * @param rules the text of its file of rules
 */
export async function startPrometheus(host: string, token: string, rules: string): Promise<PrometheusServer> {
  const directory = await mkdtemp(join(tmpdir(), "fleetprompt-prometheus-"))
  await writeFile(join(directory, "rules.yml"), rules)
  await writeFile(join(directory, "prometheus.yml"), settings(host, token))
  const child = spawn(
    PROGRAMS.prometheus,
    ["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.listen-address=127.0.0.1:0"],
    { cwd: directory, stdio: ["ignore", "ignore", "pipe"] },
  )
  const ended = new Promise((resolve) => child.once("exit", resolve))
  const kill = (): void => void child.kill("SIGKILL")
  process.once("exit", kill)
  const url = await addressOf(child.stderr, ended)
  const get = async (path: string): Promise<unknown> => {
    const response = await fetch(`${url}/api/v1/${path}`)
    const answer = (await response.json()) as { readonly data: unknown }
    return answer.data
  }
  return {
    get,
    query: async (query) => valuesOf(await get(`query?query=${encodeURIComponent(query)}`)),
    stop: async () => {
      process.off("exit", kill)
      kill()
      await ended
      await rm(directory, { recursive: true, force: true })
    },
  }
}

function settings(host: string, token: string): string {
  return `global: { scrape_interval: 250ms, scrape_timeout: 250ms, evaluation_interval: 250ms }
rule_files: [rules.yml]
scrape_configs:
  - job_name: fleetprompt
    authorization: { credentials: ${token} }
    static_configs: [{ targets: ["${host}"] }]
`
}

/** It says in its log where it listens, and when it is ready. */
function addressOf(log: NodeJS.ReadableStream, ended: Promise<unknown>): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ""
    log.setEncoding("utf8").on("data", (more: string) => {
      text = `${text}${more}`.slice(-20_000)
      const [, address] = /msg="Listening on" address=(\S+)/.exec(text) ?? []
      if (address !== undefined && text.includes("Server is ready")) resolve(`http://${address}`)
    })
    void ended.then(() => reject(new Error(`Prometheus did not start: ${text.trim()}`)))
  })
}

/** An instant vector as Prometheus's API answers it. */
interface Vector {
  readonly result: readonly { readonly metric: Readonly<Record<string, string>>; readonly value: [number, string] }[]
}

function valuesOf(data: unknown): Readonly<Record<string, number>> {
  // Queries of these tests are instant vectors.
  const { result } = data as Vector
  return Object.fromEntries(result.map(({ metric, value: [, text] }) => [Object.values(metric).join(), Number(text)]))
}
