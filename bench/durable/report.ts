import { OURS, PEERS } from "./contenders.ts"
import type { Figures } from "./figures.ts"
import type { Machine } from "./machine.ts"
import { bestPeer, type Result } from "./results.ts"
import { type Row, ROWS } from "./rows.ts"

/** The results for people: a table, what to know about single figures, and what was measured on. */
export function reportOf(results: readonly Result[], figures: Figures, machine: Machine): string {
  return [
    `Made by \`npm run bench:durable\` on ${machine.date}, in ${machine.minutes} minutes.`,
    ...section("Machine", machine.lines.map(item)),
    ...section("How it is measured", HOW.map(item)),
    ...section("Results", table(results)),
    ...section("Notes", notes(results, figures).map(item)),
  ].join("\n")
}

/** What a reader has to know to judge the figures. */
const HOW = [
  "The same work for each: an event with about 100 bytes of JSON is stored with a job for each handler, the call resolves when that is committed, a handler that does nothing runs, and the job is settled. Rates with 3 handlers count events, not jobs.",
  "Ours also stores the event itself, as a signal with its indexes that stays; the peers store jobs only.",
  "Each contender runs in processes of its own on a fresh database. After each measurement with a worker it is checked, outside the time taken, that each job ran exactly once.",
  "A rate is measured from the first call until all is settled. Who does not keep up is measured by what it handled meanwhile.",
  "tuned: the best of what the peer's own documentation offers for what is measured, throughput or latency (`bench/durable/contenders/`). defaults: as it comes. Ours is at its defaults.",
  "pg-boss: the jobs of one event share a queue and so one statement. DBOS has no call for many: tuned, many are enqueued in one transaction. Peers have no tenants: the tenant is in the payload.",
  "Figures are medians of the rounds, three unless told otherwise; the peers' defaults and the million events have one. In the quick run handled-64-1 and handled-64-3 are medians of three, the others have one.",
  "In the quick run the peers' figures with many tenants are those with one tenant, and their backlogs are smaller.",
  "graphile-worker and pg-boss ask for Node 22; on Node 20 they run all the same.",
  "Limits come from the best peer on Postgres in the same run. BullMQ on Redis does not count for them; its ratio has a column of its own.",
]

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ["", `## ${title}`, "", ...lines]
}

function item(text: string): string {
  return `- ${text}`
}

function table(results: readonly Result[]): readonly string[] {
  const peers = orderedPeers(results)
  const head = ["id", "what", "unit", "ours", "limit", "met", "to best Postgres peer", "to BullMQ on Redis", ...peers]
  const rows = results.map((result) => {
    const row = rowOf(result.id)
    const { id, what, unit, ours, limit } = result
    const best = bestPeer(row, result.peers) ?? null
    const columns = [ratio(row, ours, best), ratio(row, ours, bestOnRedis(row, result))]
    return [
      id,
      what,
      unit,
      number(ours),
      number(limit),
      met(row, result),
      ...columns,
      ...peers.map((peer) => number(result.peers[peer])),
    ]
  })
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`)
}

function orderedPeers(results: readonly Result[]): readonly string[] {
  const measured = new Set(results.flatMap(({ peers }) => Object.keys(peers)))
  const known = PEERS.map(({ name }) => name)
  return [...known.filter((name) => measured.has(name)), ...[...measured].filter((name) => !known.includes(name))]
}

function rowOf(id: string): Row {
  const row = ROWS.find((each) => each.id === id)
  if (!row) throw new Error(`expected a row "${id}"`)
  return row
}

function met({ isLowerBetter }: Row, { ours, limit }: Result): string {
  if (ours === null || limit === null) return ""
  return (isLowerBetter ? ours <= limit : ours >= limit) ? "yes" : "no"
}

/** How many times better ours is. */
function ratio({ isLowerBetter }: Row, ours: number | null, other: number | null): string {
  if (ours === null || other === null || ours === 0 || other === 0) return ""
  return (isLowerBetter ? other / ours : ours / other).toFixed(2)
}

function bestOnRedis({ isLowerBetter }: Row, { peers }: Result): number | null {
  const values = PEERS.flatMap(({ name, store }) => (store === "redis" ? [peers[name] ?? null] : []))
  const known = values.filter((value) => value !== null)
  if (known.length === 0) return null
  return isLowerBetter ? Math.min(...known) : Math.max(...known)
}

function number(value: number | null | undefined): string {
  return value?.toLocaleString("en-US", { maximumFractionDigits: 2 }) ?? ""
}

/** Equal notes of a contender in one line. */
function notes(results: readonly Result[], figures: Figures): readonly string[] {
  const rowsOf = new Map<string, string[]>()
  for (const { id, peers } of results) {
    for (const name of [OURS.name, ...Object.keys(peers)]) {
      const note = figures.of(id, name)?.note
      if (note === undefined) continue
      const line = `${name}: ${note}`
      rowsOf.set(line, [...(rowsOf.get(line) ?? []), id])
    }
  }
  return [...rowsOf].map(([line, rows]) => `${line} (${rows.join(", ")})`)
}
