import { createJournal, type Journal } from "../../src/signal/journal/journal.ts"
import { createSignal, type Signal } from "../../src/signal/signal.ts"
import { type Result, rate } from "./rate.ts"

const RECORDS = 10_000

/** One record: the signal, and its cause. */
type Step = readonly [Signal, { readonly causationId: string } | undefined]

interface Workload {
  readonly id: string
  readonly n: number
  /** The conversation of record i, if it has one of its own. */
  readonly conversation: (index: number) => string | undefined
  /** Which record caused record i. */
  readonly cause: (index: number) => number | undefined
}

const oneOf100 = (index: number): string => `c${index % 100}`
const workloads: readonly Workload[] = [
  { id: "no_cause_100_conversations", n: RECORDS, conversation: oneOf100, cause: () => undefined },
  { id: "no_cause_default_conversation", n: RECORDS, conversation: () => undefined, cause: () => undefined },
  { id: "star_cause_root", n: RECORDS, conversation: oneOf100, cause: (index) => (index === 0 ? undefined : 0) },
  {
    id: "chain_cause_prev_len10",
    n: RECORDS,
    conversation: oneOf100,
    cause: (index) => (index % 10 === 0 ? undefined : index - 1),
  },
  ...[1_000, RECORDS, 100_000].map((n) => ({
    id: "chain_cause_prev_long",
    n,
    conversation: oneOf100,
    cause: previous,
  })),
]

/** Measures the journal: nothing else in JavaScript records causes, so there is no peer. */
export async function run(seconds?: number): Promise<Result[]> {
  const results: Result[] = []
  for (const workload of workloads) {
    const steps = stepsOf(workload)
    const ours = await rate(workload.n, () => recordAll(steps), seconds)
    results.push({ id: `journal.record.${workload.id}`, n: workload.n, ours, peers: {}, unit: "signals/s" })
  }
  return [...results, ...(await reads(seconds))]
}

async function reads(seconds: number | undefined): Promise<Result[]> {
  const journal = await recordAll(stepsOf({ id: "", n: RECORDS, conversation: oneOf100, cause: previous }))
  const questions: readonly (readonly [string, () => Promise<unknown>])[] = [
    ["journal.query_10k.type", () => journal.query({ type: "nope" })],
    ["journal.query_10k.pattern", () => journal.query({ type: "nope.**" })],
    ["journal.query_10k.full_scan", () => journal.query({ source: "nope" })],
    ["journal.conversation_of_100", () => journal.conversation("c7")],
    ["journal.chain_up_10k", () => journal.chain(`s${RECORDS - 1}`, "up")],
    ["journal.chain_down_10k", () => journal.chain("s0", "down")],
  ]
  const results: Result[] = []
  for (const [id, ask] of questions)
    results.push({ id, n: RECORDS, ours: await rate(1, ask, seconds), peers: {}, unit: "calls/s" })
  return results
}

function previous(index: number): number | undefined {
  return index === 0 ? undefined : index - 1
}

function stepsOf({ n, conversation, cause }: Workload): readonly Step[] {
  const ids = Array.from({ length: n }, (_, index) => `s${index}`)
  return ids.map((id, index) => {
    const subject = conversation(index)
    const causeIndex = cause(index)
    const signal = createSignal({
      id,
      type: "bench.user.created",
      source: "/bench",
      ...(subject !== undefined && { subject, correlationid: subject }),
      data: { n: index },
    })
    return [signal, causeIndex === undefined ? undefined : { causationId: ids[causeIndex] ?? "" }]
  })
}

async function recordAll(steps: readonly Step[]): Promise<Journal> {
  const journal = createJournal()
  for (const [signal, options] of steps) await journal.record(signal, options)
  return journal
}
