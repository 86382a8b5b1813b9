import { type RequestLimit, RequestLimiter } from "../../src/access/request-limiter.ts"
import type { Database, Queryable } from "../../src/store/database.ts"
import { takeFromLimits } from "../../src/store/request-limits.ts"
import { percentile } from "../durable/statistics.ts"

/** What a limit costs. */
export interface LimitFigures {
  readonly way: string
  readonly processes: number
  readonly perSecond: number
  readonly statementsPerTake: number
  readonly p99Ms: number
  /** What was let through, where more came than the limit allows, by the limit. */
  readonly share: string
}

type Take = (limit: RequestLimit, subject: string) => Promise<boolean>

const HOUR_MS = 3_600_000
const AT_ONCE = 64
/** More than one client takes in a run, and more than each of many. */
const BUSY_ONE = 2_000_000
const BUSY_MANY = 1_200
/** Of the runs that take more than the limit. */
const EXACT = 6_000

/** Takes from limits as one process or several do, each with a limiter of its own. */
export async function measureLimits(database: Database, seconds: number): Promise<readonly LimitFigures[]> {
  const figures: LimitFigures[] = []
  for (const processes of [1, 2, 8]) {
    figures.push(await busy("portions, one client", database, processes, seconds, 1, portions))
    figures.push(await busy("portions, 10,000 clients", database, processes, seconds, 10_000, portions))
  }
  for (const processes of [1, 8])
    figures.push(await busy("a statement each, one client", database, processes, seconds, 1, each))
  figures.push(await busy("a statement each, 10,000 clients", database, 1, seconds, 10_000, each))
  for (const processes of [2, 4, 8]) figures.push(await exhausted(database, processes))
  return figures
}

function portions(engine: Queryable): Take {
  const limiter = new RequestLimiter({ engine, onError: fail })
  return async (limit, subject) => (await limiter.take(limit, subject)).allowed
}

/** What was weighed against portions: the database is asked for each request. */
function each(engine: Queryable): Take {
  return async ({ name, limit, windowMs }, subject) => {
    const [grant] = await takeFromLimits(engine, [{ key: `${name} ${subject}`, limit, windowMs, owed: 0, wanted: 1 }])
    return grant?.granted === 1
  }
}

let round = 0

async function busy(
  way: string,
  database: Database,
  processes: number,
  seconds: number,
  clients: number,
  takeOf: (engine: Queryable) => Take,
): Promise<LimitFigures> {
  const limit = { name: `busy-${++round}`, limit: clients === 1 ? BUSY_ONE : BUSY_MANY, windowMs: HOUR_MS }
  const { engine, count } = counting(database)
  const takes = Array.from({ length: processes }, () => takeOf(engine))
  const until = performance.now() + seconds * 1_000
  const times: number[] = []
  const caller = async (take: Take, from: number): Promise<void> => {
    for (let n = from; performance.now() < until; n += 7) {
      const start = performance.now()
      await take(limit, `client ${n % clients}`)
      times.push(performance.now() - start)
      // Requests come in turns of the loop, so other work gets in between.
      if (n % 64 === 0) await new Promise(setImmediate)
    }
  }
  await Promise.all(
    takes.flatMap((take) => Array.from({ length: AT_ONCE / processes }, (_, n) => caller(take, n * 131))),
  )
  return { way, processes, ...figuresOf(times, seconds, count()), share: "" }
}

/** Every process gets three times its part of the limit, one request at a time. */
async function exhausted(database: Database, processes: number): Promise<LimitFigures> {
  const limit = { name: `exact-${++round}`, limit: EXACT, windowMs: HOUR_MS }
  const { engine, count } = counting(database)
  const times: number[] = []
  let allowed = 0
  const start = performance.now()
  const load = async (take: Take): Promise<void> => {
    for (let n = 0; n < (EXACT * 3) / processes; n++) {
      const from = performance.now()
      if (await take(limit, "one")) allowed++
      times.push(performance.now() - from)
    }
  }
  await Promise.all(Array.from({ length: processes }, () => load(portions(engine))))
  const share = `${((allowed / EXACT) * 100).toFixed(2)} %`
  return {
    way: `portions, ${EXACT} allowed of ${EXACT * 3}`,
    processes,
    ...figuresOf(times, (performance.now() - start) / 1_000, count()),
    share,
  }
}

function figuresOf(times: readonly number[], seconds: number, statements: number) {
  return {
    perSecond: Math.round(times.length / seconds),
    statementsPerTake: Number((statements / times.length).toFixed(5)),
    p99Ms: Number((percentile(times, 0.99) ?? 0).toFixed(3)),
  }
}

function counting(database: Database): { readonly engine: Queryable; readonly count: () => number } {
  let statements = 0
  const engine: Queryable = {
    query: (text, values) => {
      statements++
      return database.hot.query(text, values)
    },
  }
  return { engine, count: () => statements }
}

function fail(error: unknown): never {
  throw error
}
