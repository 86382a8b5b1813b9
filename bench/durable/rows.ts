/** One line of the results. */
export interface Row {
  readonly id: string
  readonly what: string
  readonly unit: string
  readonly isLowerBetter: boolean
  /** The target, from the best peer on Postgres, when there is one. */
  readonly limit: ((best: number | undefined) => number | null) | undefined
  /** The row with our figure, where it is not this one. */
  readonly oursFrom?: string
}

/** Callers that each await their call before the next. */
export const CALLERS = [1, 16, 64] as const
/** Handlers of each event. */
export const HANDLERS = [1, 3] as const
/** Events of a call where many are given at once. */
export const BATCH = 100
/** Callers where many are given at once. */
export const BATCH_CALLERS = 4
/** Tenants of a large fleet. */
export const MANY_TENANTS = 1_000

const times = (factor: number) => (best: number | undefined) => (best === undefined ? null : factor * best)
const always = (limit: number) => () => limit

const rate = (id: string, what: string, limit?: Row["limit"]): Row => ({
  id,
  what,
  unit: "events/s",
  isLowerBetter: false,
  limit,
})
const cost = (id: string, what: string, unit: string, limit?: Row["limit"]): Row => ({
  id,
  what,
  unit,
  isLowerBetter: true,
  limit,
})

const ceiling = (id: string, how: string, oursFrom: string): Row => ({
  ...rate(id, `rows of our signals inserted by plain statements, ${how}; ours: ${oursFrom}`),
  oursFrom,
})

const EMIT_LIMITS: Readonly<Record<string, Row["limit"]>> = { "emit-64-1": times(10) }
const HANDLED_LIMITS: Readonly<Record<string, Row["limit"]>> = { "handled-64-1": times(15), "handled-64-3": times(15) }
const BATCH_LIMITS: Readonly<Record<string, Row["limit"]>> = { "batch-100-1": times(2) }

const callersAndHandlers = HANDLERS.flatMap((handlers) => CALLERS.map((callers) => ({ callers, handlers })))
const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? "" : "s"}`
const text = ({ callers, handlers }: { readonly callers: number; readonly handlers: number }) =>
  `${counted(callers, "caller")}, ${counted(handlers, "handler")}`

/** All lines, in the order of the report. */
export const ROWS: readonly Row[] = [
  ...callersAndHandlers.map((of) => {
    const id = `emit-${of.callers}-${of.handlers}`
    return rate(id, `emitted, one a call, no worker: ${text(of)}`, EMIT_LIMITS[id])
  }),
  rate(
    `emit-batch-${BATCH}-1`,
    `emitted, ${BATCH} a call, no worker: ${text({ callers: BATCH_CALLERS, handlers: 1 })}`,
  ),
  ceiling("ceiling-1", "1 a statement, 1 caller", "emit-1-1"),
  ceiling("ceiling-64", `64 a statement, ${BATCH_CALLERS} callers`, "emit-64-1"),
  ceiling("ceiling-100", `100 a statement, ${BATCH_CALLERS} callers`, `emit-batch-${BATCH}-1`),
  ...callersAndHandlers.map((of) => {
    const id = `handled-${of.callers}-${of.handlers}`
    return rate(id, `emitted and handled, one a call: ${text(of)}`, HANDLED_LIMITS[id])
  }),
  ...HANDLERS.map((handlers) => {
    const id = `batch-${BATCH}-${handlers}`
    const what = `emitted and handled, ${BATCH} a call: ${text({ callers: BATCH_CALLERS, handlers })}`
    return rate(id, what, BATCH_LIMITS[id])
  }),
  rate("two-64-1", "emitted in one process, handled in another: 64 callers, 1 handler"),
  rate("tenants-1-shared", "emitted and handled, 64 callers, 1 handler, 1 tenant in the shared schema"),
  rate("tenants-1000-own", "the same, 1,000 tenants, each with its own schema (peers: tenant in the payload)"),
  rate("tenants-1000-shared", "the same, 1,000 tenants in the shared schema (peers: tenant in the payload)"),
  rate("drain", "a backlog handled, 1 handler, while another tenant emits 50/s", times(2)),
  cost("flood", "p99 of that other tenant, from emit to handler", "ms", always(2_000)),
  cost("latency-50", "from emit to handler at 50/s, p50", "ms", times(1)),
  cost("latency-50-p99", "from emit to handler at 50/s, p99", "ms"),
  cost("latency-half", "from emit to handler at half of its own handled-64-1, p50", "ms"),
  cost("latency-half-p99", "from emit to handler at half of its own handled-64-1, p99", "ms"),
  cost("two-latency-50", "from emit to handler at 50/s over two processes, p50", "ms"),
  cost("two-latency-50-p99", "from emit to handler at 50/s over two processes, p99", "ms"),
  cost("idle-queries-1", "queries while idle, 1 tenant", "queries/s"),
  cost("idle-queries-100", "queries while idle, 100 tenants", "queries/s"),
  cost("idle-queries", "queries while idle, 1,000 tenants", "queries/s", always(2)),
  cost("idle-cpu-1", "processor while idle, process and Postgres, 1 tenant", "% of a core"),
  cost("idle-cpu-100", "processor while idle, process and Postgres, 100 tenants", "% of a core"),
  cost("idle-cpu", "processor while idle, process and Postgres, 1,000 tenants", "% of a core"),
  cost("size-million", "growth of the database by a million events, emitted and handled", "MB"),
]
