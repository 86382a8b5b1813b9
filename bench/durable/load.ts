import { setTimeout as wait } from "node:timers/promises"
import { type EventData, now, type Station } from "./station.ts"

/** How events are emitted: by so many callers, each of which awaits its call before the next. */
export interface Load {
  readonly callers: number
  /** Events of one call. */
  readonly batch: number
  /** Ends when this long has passed, milliseconds. */
  readonly forMs?: number
  /** Ends with so many events. */
  readonly count?: number
  /** Only of this tenant. Default: of each in turn. */
  readonly tenant?: string
}

/** Events one by one at a rate, whether or not the last one was stored. */
export interface SteadyLoad {
  readonly perSecond: number
  readonly tenant?: string
}

/** What a load came to. */
export interface Emitted {
  readonly events: number
  readonly startedAt: number
  readonly endedAt: number
}

/** Makes the events of a run: the only place where they get their numbers. */
export class Source {
  readonly #tenants: readonly string[]
  #next: number

  constructor(tenants: readonly string[], first: number) {
    this.#tenants = tenants
    this.#next = first
  }

  /** The number of the next event, so also how many there were. */
  get next(): number {
    return this.#next
  }

  event(tenant?: string): EventData {
    const n = this.#next++
    const of = tenant ?? this.#tenants[n % this.#tenants.length] ?? ""
    return { n, tenant: of, order: `ord-${n}`, items: 3, total: 59.9 }
  }

  /** Events of one tenant. */
  batch(size: number, tenant?: string): readonly EventData[] {
    const first = this.event(tenant)
    return [first, ...Array.from({ length: size - 1 }, () => this.event(first.tenant))]
  }
}

/** Emits as fast as the callers get their answers. */
export async function emitLoad(station: Station, source: Source, load: Load): Promise<Emitted> {
  const { callers, batch, forMs = Infinity, count = Infinity, tenant } = load
  const first = source.next
  const startedAt = now()
  const call = async (): Promise<void> => {
    while (now() - startedAt < forMs && source.next - first < count) {
      if (batch === 1) await station.emit(source.event(tenant))
      else await station.emitBatch(source.batch(batch, tenant))
    }
  }
  await Promise.all(Array.from({ length: callers }, call))
  return { events: source.next - first, startedAt, endedAt: now() }
}

/** Emits at a rate while it is told to go on. Each event carries when its call began. */
export async function emitSteadily(
  station: Station,
  source: Source,
  { perSecond, tenant }: SteadyLoad,
  goOn: (elapsedMs: number) => boolean,
): Promise<Emitted> {
  const startedAt = now()
  const calls: Promise<unknown>[] = []
  for (let elapsedMs = 0; goOn(elapsedMs); elapsedMs = now() - startedAt) {
    while (calls.length <= (elapsedMs / 1_000) * perSecond) {
      const call = station.emit({ ...source.event(tenant), at: now() })
      // It is awaited below, and may fail before.
      call.catch(() => {})
      calls.push(call)
    }
    await wait(1)
  }
  await Promise.all(calls)
  return { events: calls.length, startedAt, endedAt: now() }
}
