import { cpus } from "node:os"
import type { Result } from "./rate.ts"

/**
 * Runs every workload of the signal library beside the peers that can do the same work, and prints a table,
 * or with --json one array. Modules run one after another, since each wants the machine for itself.
 */
const MODULES = ["router", "envelope", "bus", "journal", "codecs"]

async function runAll(names: readonly string[]): Promise<readonly Result[]> {
  const results: Result[] = []
  for (const name of names) {
    process.stderr.write(`running ${name}\n`)
    // Each module exports run.
    const { run } = (await import(`./${name}.js`)) as { run: () => Promise<readonly Result[]> }
    results.push(...(await run()))
  }
  return results
}

function printed(results: readonly Result[]): string {
  const peers = [...new Set(results.flatMap(({ peers }) => Object.keys(peers)))]
  const head = ["workload", "n", "ours", ...peers, "unit", "ours / best peer"]
  const rows = results.map((result) => [
    result.id,
    number(result.n),
    number(result.ours),
    ...peers.map((peer) => number(result.peers[peer])),
    result.unit,
    ratio(result),
  ])
  const lines = [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`)
  const [cpu] = cpus()
  return [
    `Node ${process.version}, ${cpus().length} x ${cpu?.model ?? "unknown"}, ${new Date().toISOString()}`,
    "",
    ...lines,
  ].join("\n")
}

/** A peer that does less than the workload shows the floor; it is no measure of who is ahead. */
const FLOOR = /alone|exact types only|randomUUID/

function ratio({ ours, peers, unit }: Result): string {
  const others = Object.entries(peers).flatMap(([name, rate]) => (FLOOR.test(name) ? [] : [rate]))
  if (others.length === 0) return ""
  const isTime = /^(ms|us|ns)/.test(unit)
  const best = isTime ? Math.min(...others) / ours : ours / Math.max(...others)
  return best.toFixed(2)
}

function number(value: number | undefined): string {
  return value === undefined ? "" : value.toLocaleString("en-US", { maximumFractionDigits: 2 })
}

const asked = process.argv.slice(2).filter((argument) => !argument.startsWith("--"))
const results = await runAll(asked.length > 0 ? asked : MODULES)
process.stdout.write(`${process.argv.includes("--json") ? JSON.stringify(results) : printed(results)}\n`)
