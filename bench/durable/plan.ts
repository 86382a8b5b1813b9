import { type Contender, OURS, PEERS, RAW } from "./contenders.ts"
import { type Effort, FULL } from "./effort.ts"
import { BATCH, BATCH_CALLERS, CALLERS, MANY_TENANTS, ROWS } from "./rows.ts"
import { FLOODER, SMALL, type Stage, type Step, type Trial } from "./trial.ts"

/** In the quick run, how often the rows are measured that decide most. */
const QUICK_REPEATS = 3
const LATENCY_PER_SECOND = 50
const MANY_TENANTS_ROWS = ["tenants-1000-own", "tenants-1000-shared"]
const IDLE_TENANTS = [1, 100, MANY_TENANTS]
const MILLION = 1_000_000
/** Who has not stored a million events by then is measured on those stored. */
const MILLION_MS = 120_000
const MILLION_TIMEOUT_MS = 900_000

/** Everything to be measured, for the contenders asked for. */
export function stagesOf(effort: Effort, contenders: readonly Contender[]): readonly Stage[] {
  const { isQuick } = effort
  const each = (name: string, trialsOf: (contender: Contender) => Trial | readonly Trial[]): Stage => {
    return { name, trials: contenders.flatMap(trialsOf), isTogether: false }
  }
  const always = [
    each("emit, 1 handler", (contender) => emitting(effort, contender, 1)),
    each("handle, 1 handler", (contender) => handling(effort, contender, 1)),
    each("handle, 3 handlers", (contender) => handling(effort, contender, 3)),
    each("latency", (contender) => delaying(effort, contender)),
    each("backlog", (contender) => backlog(effort, contender)),
    each("tenants", (contender) => manyTenants(effort, contender)),
    { ...each("idle", (contender) => idle(effort, contender)), isTogether: true },
    each("ceiling", (contender) => (contender === OURS ? ceiling(effort) : [])),
  ]
  if (isQuick) return always
  return [
    ...always,
    each("emit, 3 handlers", (contender) => emitting(effort, contender, 3)),
    each("two processes", (contender) => inTwoProcesses(effort, contender)),
    each("a million", (contender) => (isPeerAtDefaults(contender) ? [] : million(contender))),
  ]
}

function isPeerAtDefaults(contender: Contender): boolean {
  return contender.form === "defaults" && PEERS.includes(contender)
}

function trial(effort: Effort, contender: Contender, more: Partial<Trial> & Pick<Trial, "steps">): Trial {
  const { timeoutMs } = effort
  return {
    contender,
    handlers: 1,
    tenants: tenants(1),
    placement: "own",
    goal: "throughput",
    layout: "one",
    timeoutMs,
    isOnce: isPeerAtDefaults(contender),
    ...more,
  }
}

function tenants(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `tenant_${index}`)
}

function emitting(effort: Effort, contender: Contender, handlers: number): Trial {
  const callers = effort.isQuick ? [64] : CALLERS
  const singles = callers.map((count) => emit(effort, `emit-${count}-${handlers}`, count, 1))
  const batches = effort.isQuick || handlers > 1 ? [] : [emit(effort, `emit-batch-${BATCH}-1`, BATCH_CALLERS, BATCH)]
  return trial(effort, contender, { handlers, layout: "emitter", steps: [...singles, ...batches] })
}

function emit({ rateMs }: Effort, row: string, callers: number, batch: number): Step {
  return { kind: "emit", rows: [[row]], load: { callers, batch, forMs: rateMs } }
}

function ceiling(effort: Effort): Trial {
  const one = emit(effort, "ceiling-1", 1, 1)
  const coalesced = emit(effort, "ceiling-64", BATCH_CALLERS, 64)
  const many = emit(effort, "ceiling-100", BATCH_CALLERS, BATCH)
  const steps = effort.isQuick ? [coalesced] : [one, coalesced, many]
  return trial(effort, RAW, { layout: "emitter", steps })
}

function handling(effort: Effort, contender: Contender, handlers: number): Trial {
  const { isQuick } = effort
  const callers = isQuick ? Array.from({ length: QUICK_REPEATS }, () => 64) : CALLERS
  // In the quick run this stands for the peers' figures with many tenants too, which to them are names in a payload.
  const alsoFor = isQuick && handlers === 1 && contender !== OURS ? MANY_TENANTS_ROWS : []
  const singles = callers.map((count) => handle(effort, [`handled-${count}-${handlers}`, ...alsoFor], count, 1))
  const batches = isQuick && handlers > 1 ? [] : [handle(effort, [`batch-${BATCH}-${handlers}`], BATCH_CALLERS, BATCH)]
  return trial(effort, contender, { handlers, steps: [...singles, ...batches] })
}

/** After `handling`, whose rate it halves. */
function delaying(effort: Effort, contender: Contender): Trial {
  const atRate = latency(effort, "latency-50", LATENCY_PER_SECOND)
  const steps = effort.isQuick ? [atRate] : [atRate, latency(effort, "latency-half", "half")]
  return trial(effort, contender, { goal: "latency", steps })
}

function handle({ rateMs }: Effort, rows: readonly string[], callers: number, batch: number): Step {
  return { kind: "handle", rows: [rows], load: { callers, batch, forMs: rateMs } }
}

function latency({ latencyMs }: Effort, row: string, perSecond: number | "half"): Step {
  return { kind: "latency", rows: [[row], [`${row}-p99`]], perSecond, forMs: latencyMs }
}

function inTwoProcesses(effort: Effort, contender: Contender): readonly Trial[] {
  const rate = handle(effort, ["two-64-1"], 64, 1)
  const delay = latency(effort, "two-latency-50", LATENCY_PER_SECOND)
  return [
    trial(effort, contender, { layout: "two", steps: [rate] }),
    trial(effort, contender, { layout: "two", goal: "latency", steps: [delay] }),
  ]
}

function backlog(effort: Effort, contender: Contender): Trial {
  const ofPeer = contender.isSlow ? effort.slowBacklog : effort.peerBacklog
  const events = contender === OURS ? effort.backlog : ofPeer
  const step: Step = { kind: "backlog", rows: [["drain"], ["flood"]], events, smallPerSecond: LATENCY_PER_SECOND }
  return trial(effort, contender, { layout: "in turn", tenants: [FLOODER, SMALL], steps: [step] })
}

/** To the peers it is all the same where a tenant's tables are: they have one figure for both. */
function manyTenants(effort: Effort, contender: Contender): readonly Trial[] {
  const { isQuick } = effort
  const of = (rows: readonly string[], count: number, placement: Trial["placement"]) =>
    trial(effort, contender, { tenants: tenants(count), placement, steps: [handle(effort, rows, 64, 1)] })
  if (contender !== OURS) return isQuick ? [] : [of(MANY_TENANTS_ROWS, MANY_TENANTS, "own")]
  const own = of(["tenants-1000-own"], MANY_TENANTS, "own")
  const shared = of(["tenants-1000-shared"], MANY_TENANTS, "shared")
  if (!isQuick) return [of(["tenants-1-shared"], 1, "shared"), own, shared]
  // Making a thousand schemas takes long: the quick run makes them once.
  return [{ ...own, steps: [...own.steps, idling(effort, ["idle-queries"], ["idle-cpu"])] }, shared]
}

function idle(effort: Effort, contender: Contender): readonly Trial[] {
  const { isQuick } = effort
  const rows = (kind: string, counts: readonly number[]) =>
    counts.map((count) => (count === MANY_TENANTS ? `idle-${kind}` : `idle-${kind}-${count}`))
  const of = (tenantCount: number, counts: readonly number[]) =>
    trial(effort, contender, {
      tenants: tenants(tenantCount),
      steps: [idling(effort, rows("queries", counts), rows("cpu", counts))],
    })
  if (contender !== OURS) return [of(1, isQuick ? [MANY_TENANTS] : IDLE_TENANTS)]
  return isQuick ? [] : IDLE_TENANTS.map((count) => of(count, [count]))
}

function idling({ idleMs }: Effort, queries: readonly string[], cpu: readonly string[]): Step {
  return { kind: "idle", rows: [queries, cpu], forMs: idleMs }
}

function million(contender: Contender): Trial {
  const step: Step = { kind: "size", rows: [["size-million"]], events: MILLION, forMs: MILLION_MS }
  return trial(FULL, contender, { timeoutMs: MILLION_TIMEOUT_MS, isOnce: true, steps: [step] })
}

/** The contenders of a run: all, or those whose id begins as asked. The quick run leaves out who is never the best. */
export function contendersOf(effort: Effort, asked: readonly string[]): readonly Contender[] {
  const all = [OURS, ...PEERS]
  if (asked.length > 0) return all.filter(({ id }) => asked.some((start) => id.startsWith(start)))
  return effort.isQuick ? all.filter(({ inQuickRun }) => inQuickRun) : all
}

/** Only what those rows need. */
export function onlyRows(stages: readonly Stage[], ids: readonly string[]): readonly Stage[] {
  if (ids.length === 0) return stages
  const needed = new Set(ROWS.flatMap(({ id, oursFrom }) => (ids.includes(id) ? [id, oursFrom] : [])))
  const isAsked = (step: Step) => step.rows.flat().some((row) => needed.has(row))
  return stages
    .map((stage) => ({
      ...stage,
      trials: stage.trials
        .map((each) => ({ ...each, steps: each.steps.filter(isAsked) }))
        .filter(({ steps }) => steps.length > 0),
    }))
    .filter(({ trials }) => trials.length > 0)
}

/** The rows that these stages give. */
export function rowsOf(stages: readonly Stage[]): readonly string[] {
  return stages.flatMap(({ trials }) => trials.flatMap(({ steps }) => steps.flatMap(({ rows }) => rows.flat())))
}
