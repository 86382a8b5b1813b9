import { compilePattern, matches } from "../../src/signal/pattern.ts"
import { createSignal, type Signal } from "../../src/signal/signal.ts"
import { type Contender, eventEmitter, mqEmitter, ours, peers } from "./contenders.ts"
import { type Result, rate } from "./rate.ts"

const SIZES = [100, 1_000, 10_000, 100_000]
const SIGNALS = 1_000
/** What the signals find in all, whatever the number of routes. */
const TARGETS = 3_700
const PATTERNS = 1_000
/** Routes added and taken out between two looks at the clock. */
const CHANGES = 100

/** Measures finding the targets of 1,000 signals, and changing and building the router. */
export async function run(seconds?: number): Promise<Result[]> {
  const results: Result[] = []
  for (const n of SIZES) {
    results.push(await routing("router.route", n, () => ours(), seconds))
    results.push(await routing("router.route_without_cache", n, () => ours({ cacheSize: 0 }), seconds))
    results.push(await changing(n, seconds))
    results.push(await building(n, seconds))
  }
  return [...results, ...(await matching(seconds))]
}

async function routing(id: string, n: number, mine: () => Contender, seconds?: number): Promise<Result> {
  const signals = signalsFor(n)
  const routeAll = (contender: Contender) => {
    let found = 0
    for (const signal of signals) found += contender.route(signal)
    return found
  }
  const measure = (make: () => Contender) => {
    const contender = filled(make, n)
    const found = routeAll(contender)
    // The floor knows no wildcards, so it finds less.
    if (found !== TARGETS && make !== eventEmitter) throw new Error(`${id}: expected ${TARGETS} targets, got ${found}`)
    return rate(SIGNALS, () => routeAll(contender), seconds)
  }
  const others = { ...peers, "mqemitter, emitting": mqEmitter, "EventEmitter, exact types only": eventEmitter }
  return { id, n, ours: await measure(mine), peers: await measured(others, measure), unit: "signals/s" }
}

/** One route more and then less, with `n` others beside it. */
async function changing(n: number, seconds?: number): Promise<Result> {
  const measure = (make: () => Contender) => {
    const contender = filled(make, n)
    const change = () => {
      contender.add("zz.new.route", n)
      contender.remove("zz.new.route", n)
    }
    return rate(CHANGES, () => repeat(change), seconds)
  }
  return {
    id: "router.add_and_remove_one",
    n,
    ours: await measure(ours),
    peers: await measured(peers, measure),
    unit: "pairs/s",
  }
}

async function building(n: number, seconds?: number): Promise<Result> {
  const measure = (make: () => Contender) => rate(n, () => filled(make, n), seconds)
  return { id: "router.build", n, ours: await measure(ours), peers: await measured(peers, measure), unit: "routes/s" }
}

/** A thousand patterns against one type. No peer tells whether one pattern fits one type. */
async function matching(seconds?: number): Promise<Result[]> {
  const patterns = Array.from({ length: PATTERNS }, (_, index) => {
    const kinds = [`t.a${index}.x`, "t.*.x", `t.a${index}.**`, "**.x"]
    return kinds[index % kinds.length] ?? ""
  })
  const compiled = patterns.map(compilePattern)
  const asText = await rate(PATTERNS, () => patterns.filter((pattern) => matches(pattern, "t.a7.x")), seconds)
  const kept = await rate(PATTERNS, () => compiled.filter((pattern) => pattern.matches("t.a7.x")), seconds)
  return [
    { id: "pattern.matches", n: PATTERNS, ours: asText, peers: {}, unit: "calls/s" },
    { id: "pattern.compiled", n: PATTERNS, ours: kept, peers: {}, unit: "calls/s" },
  ]
}

async function measured(
  contenders: Readonly<Record<string, () => Contender>>,
  measure: (make: () => Contender) => Promise<number>,
): Promise<Record<string, number>> {
  const rates: Record<string, number> = {}
  for (const [name, make] of Object.entries(contenders)) rates[name] = await measure(make)
  return rates
}

function filled(make: () => Contender, n: number): Contender {
  const contender = make()
  for (let index = 0; index < n; index++) contender.add(patternOf(index), index)
  return contender
}

/** 70 % exact, 20 % with `*`, 10 % with `**`. */
function patternOf(index: number): string {
  const [k, m, j] = [Math.floor(index / 100), Math.floor(index / 10) % 10, index % 10]
  if (j <= 6) return `d${k}.e${m}.a${j}`
  if (j === 7) return `d${k}.*.a${m}`
  return j === 8 ? `d${k}.e${m}.*` : `d${k}.e${m}.**`
}

function signalsFor(n: number): readonly Signal[] {
  return Array.from({ length: SIGNALS }, (_, s) =>
    createSignal({
      type: `d${(s * 7919) % (n / 100)}.e${Math.floor(s / 10) % 10}.a${s % 10}`,
      source: "/bench",
      data: {},
    }),
  )
}

function repeat(body: () => void): void {
  for (let round = 0; round < CHANGES; round++) body()
}
