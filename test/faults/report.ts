import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { writeFile } from "node:fs/promises"
import { cpus, totalmem } from "node:os"
import { dirname, join } from "node:path"
import type { Options } from "./options.ts"
import { soakSections } from "./report-soak.ts"
import { figureText, section, table } from "./report-table.ts"
import type { Figures, Result } from "./scenario.ts"
import type { SoakDetails } from "./soak/details.ts"

const BYTES_PER_GIB = 2 ** 30

/** The results as a table for people, and below it why some did not hold. */
export function tableOf(results: readonly Result[]): string {
  return [...resultsTable(results), ...section("Did not hold", failures(results))].join("\n")
}

function resultsTable(results: readonly Result[]): readonly string[] {
  const head = ["scenario", "what", "held", "checked", "figures", "seconds"]
  const rows = results.map((result) => [
    result.scenario,
    result.title,
    result.held ? "yes" : "**no**",
    result.invariants.join(" "),
    figuresText(result.figures),
    result.seconds.toFixed(1),
  ])
  return table(head, rows)
}

function figuresText(figures: Figures): string {
  return Object.entries(figures)
    .map(([name, value]) => `${name} ${figureText(value)}`)
    .join(", ")
}

function failures(results: readonly Result[]): readonly string[] {
  return results.flatMap(({ scenario, error }) =>
    error === undefined ? [] : [`- ${scenario}: ${error.replaceAll("\n", "\n  ")}`],
  )
}

/** What a report is about. */
export interface Report {
  readonly results: readonly Result[]
  readonly soak: SoakDetails | undefined
  readonly options: Options
  readonly startedAt: Date
  /** The folder with the programs of Postgres. */
  readonly postgres: string
}

/** Writes the results with machine and date into bench/results/. Returns the file's path. */
export async function keepReport(report: Report): Promise<string> {
  const root = packageRoot(import.meta.dirname)
  const file = join(root, "bench", "results", `faults-${dateOf(report.startedAt)}.md`)
  await writeFile(file, `${reportOf(report)}\n`)
  spawnSync(join(root, "node_modules", ".bin", "oxfmt"), [file], { stdio: "ignore" })
  return file
}

/** This file lies some folders below it, compiled or not; a compiled copy of package.json is not the one. */
function packageRoot(directory: string): string {
  const isRoot = existsSync(join(directory, "package.json")) && existsSync(join(directory, "bench"))
  return isRoot ? directory : packageRoot(dirname(directory))
}

function dateOf(at: Date): string {
  return at.toISOString().slice(0, 10)
}

function reportOf({ results, soak, options: { scale }, startedAt, postgres }: Report): string {
  const minutes = Math.round((Date.now() - startedAt.getTime()) / 60_000)
  const withoutSoak = results.filter(({ scenario }) => scenario !== "SOAK")
  const held = results.filter((result) => result.held).length
  return [
    `# Faults, ${dateOf(startedAt)}`,
    "",
    `Made by \`npm run test:faults -- ${process.argv.slice(2).join(" ")}\` at the ${scale} scale on ${dateOf(startedAt)}, in ${minutes} minutes. ${held} of ${results.length} held.`,
    ...section("Machine", machine(postgres)),
    ...section("How it is measured", HOW),
    ...section("Did not hold", failures(results)),
    ...section("Results", withoutSoak.length > 0 ? resultsTable(withoutSoak) : []),
    ...soakSections(
      results.find(({ scenario }) => scenario === "SOAK"),
      soak,
    ),
  ].join("\n")
}

function machine(postgres: string): readonly string[] {
  const [cpu] = cpus()
  const { stdout } = spawnSync(join(postgres, "postgres"), ["--version"], { encoding: "utf8" })
  return [
    `- ${cpus().length} x ${cpu?.model ?? "unknown"}, ${Math.round(totalmem() / BYTES_PER_GIB)} GiB, ${process.platform}, Node ${process.version}`,
    `- ${stdout.trim()} on the same machine: fsync on, max_connections 200; the rest as it comes, where a scenario says nothing else`,
  ]
}

const HOW = [
  "- Each scenario makes one row of the fault table happen, to processes and a Postgres of its own. Then the product's database is compared with a ledger on another server, which the driver and the handlers wrote over connections of their own.",
  "- held: all invariants named beside it hold, and what the row asks for besides. `test/faults/README.md` says what I1 to I10 are.",
  "- callsNotOk: emits that were not answered with a signal, most of them tried again later with the same key. repeatedEffects: how often a handler came to an effect that had been applied before.",
  "- Several scenarios run at once. Times are upper bounds: the machine was busy with the others, the ledger and the driver.",
]
