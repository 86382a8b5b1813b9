import type { Lane, LaneShare } from "../store/deliveries.ts"
import type { Look } from "./poller.ts"

/** What the ring asks of the worker before it gives a lane a share. */
export interface RingRules {
  /** How much more of a handler's work for a tenant the worker can take. */
  readonly room: (handler: string, tenant: string) => number
  /** How much more of a handler's work it can take in all. */
  readonly roomFor: (handler: string) => number
  /** How much of the workers a tenant may have beside others: 1, 2, 4 by its class. */
  readonly weight: (tenant: string) => number
  /** The version of a handler's code, or undefined where this process lacks it. */
  readonly version: (handler: string, tenant: string) => number | undefined
}

/** A share, with when its lane was last heard of: what is put into the lane meanwhile is not forgotten. */
export interface RingShare extends LaneShare {
  readonly stamp: number
}

interface Stamped {
  readonly lane: Lane
  readonly stamp: number
}

/** What a claim may still take, in all and of each handler. */
interface Left {
  all: number
  readonly handlers: Map<string, number>
}

/** Lanes in one claim at most. */
const MAX_LANES = 64

/**
 * How late a delivery may be committed and still be found by the next claim, milliseconds. One that is later, or comes
 * back from another worker, is found by the next look.
 */
const LATE_MS = 3_000
/** Where looks are further apart than this, milliseconds, claims have to find everything themselves. */
const OFTEN_MS = 5_000

/** Where the lanes began when the queue was last looked at, milliseconds of `performance.now()`. */
interface Heads {
  readonly askedAt: number
  /** Whether the next look will come soon, since this one did. */
  readonly isOften: boolean
  /** Of those that had something due: when the first of it was. */
  readonly dueAt: ReadonlyMap<string, number>
}

/**
 * The lanes that are known to hold something due, by tenant. Claims go round the tenants, so that how much
 * one has queued makes no difference to another: each gets a share by its weight, from its most urgent lanes.
 */
export class LaneRing {
  readonly #tenants = new Map<string, Map<string, Stamped>>()
  #stamp = 0
  #heads: Heads | undefined

  /** Lanes that may have something. */
  get size(): number {
    let size = 0
    for (const lanes of this.#tenants.values()) size += lanes.size
    return size
  }

  /** A lane has something due. */
  add(lane: Lane): void {
    const stamped = { lane, stamp: ++this.#stamp }
    const lanes = this.#tenants.get(lane.tenant)
    if (lanes) lanes.set(laneKey(lane), stamped)
    else this.#tenants.set(lane.tenant, new Map([[laneKey(lane), stamped]]))
  }

  /** A claim found that a lane has nothing left that is due; unless it was heard of since. */
  remove(share: RingShare): void {
    const lanes = this.#tenants.get(share.tenant)
    if (lanes?.get(laneKey(share))?.stamp !== share.stamp) return
    lanes.delete(laneKey(share))
    if (lanes.size === 0) this.#tenants.delete(share.tenant)
  }

  /**
   * Takes a tenant's less urgent lanes of the same handler out, for a limit that held back the more urgent one.
   *
   * @returns those that were there.
   */
  removeBehind({ handler, tenant, priority }: Lane): readonly Lane[] {
    const lanes = this.#tenants.get(tenant) ?? new Map<string, Stamped>()
    const behind = [...lanes.values()]
      .map(({ lane }) => lane)
      .filter((lane) => lane.handler === handler && lane.priority > priority)
    for (const lane of behind) lanes.delete(laneKey(lane))
    if (lanes.size === 0) this.#tenants.delete(tenant)
    return behind
  }

  /**
   * The queue was looked at: of each lane it is known where it begins. Claims pass over what is before that, which is
   * done and yet has to be stepped over while a transaction that is open anywhere keeps it.
   */
  looked({ lanes, askedAt }: Look): void {
    const due = lanes.flatMap((lane) =>
      lane.dueForMs === null ? [] : [[placeOf(lane), askedAt - lane.dueForMs] as const],
    )
    const isOften = this.#heads !== undefined && askedAt - this.#heads.askedAt < OFTEN_MS
    this.#heads = { askedAt, isOften, dueAt: new Map(due) }
  }

  /** For how long something that may be claimed can have been due; undefined where all has to be looked at. */
  #sinceMs(lane: Lane): number | undefined {
    if (!this.#heads?.isOften) return undefined
    const { askedAt, dueAt } = this.#heads
    return performance.now() - (dueAt.get(placeOf(lane)) ?? askedAt) + LATE_MS
  }

  /** Whether a lane is known to have something due. */
  has(lane: Lane): boolean {
    return this.#tenants.get(lane.tenant)?.has(laneKey(lane)) ?? false
  }

  /**
   * What the next claim takes. The tenants it names go to the end of the line.
   *
   * @param limit how much the worker can take in all.
   */
  shares(limit: number, rules: RingRules): readonly RingShare[] {
    const tenants = [...this.#tenants.keys()].slice(0, Math.min(MAX_LANES, limit))
    const weights = tenants.map(rules.weight)
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    const left: Left = { all: limit, handlers: new Map() }
    return tenants.flatMap((tenant, at) => {
      const share = Math.max(1, Math.floor((limit * (weights[at] ?? 1)) / total))
      return this.#sharesOf(tenant, share, left, rules)
    })
  }

  /** A tenant that gets nothing because others have it all stays where it is in the line. */
  #sharesOf(tenant: string, share: number, left: Left, { room, roomFor, version }: RingRules): readonly RingShare[] {
    const lanes = this.#tenants.get(tenant) ?? new Map<string, Stamped>()
    const able = [...lanes.values()].filter(({ lane }) => room(lane.handler, tenant) > 0)
    const urgent = Math.min(...able.map(({ lane }) => lane.priority))
    const first = able.filter(({ lane }) => lane.priority === urgent).slice(0, share)
    const each = Math.floor(share / Math.max(1, first.length))
    const shares = first.flatMap((stamped) => {
      const { lane, stamp } = stamped
      const { handler } = lane
      const known = version(handler, tenant)
      const ofHandler = left.handlers.get(handler) ?? roomFor(handler)
      const take = Math.min(each, room(handler, tenant), ofHandler, left.all)
      if (known === undefined || take <= 0) return []
      left.all -= take
      left.handlers.set(handler, ofHandler - take)
      this.#toEnd(lanes, stamped)
      const sinceMs = this.#sinceMs(lane)
      return [{ ...lane, stamp, version: known, take, ...(sinceMs !== undefined && { sinceMs }) }]
    })
    if (shares.length > 0 || able.length === 0) {
      this.#tenants.delete(tenant)
      this.#tenants.set(tenant, lanes)
    }
    return shares
  }

  /** Lanes of one urgency take turns. */
  #toEnd(lanes: Map<string, Stamped>, stamped: Stamped): void {
    lanes.delete(laneKey(stamped.lane))
    lanes.set(laneKey(stamped.lane), stamped)
  }
}

function laneKey({ handler, priority }: Lane): string {
  return `${priority} ${handler}`
}

function placeOf({ handler, tenant, priority }: Lane): string {
  return `${priority} ${handler} ${tenant}`
}
