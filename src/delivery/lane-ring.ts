import type { Lane, LaneShare } from "../store/deliveries.ts"

/** What the ring asks of the worker before it gives a lane a share. */
export interface RingRules {
  /** How much more of a handler's work for a tenant the worker can take. */
  readonly room: (handler: string, tenant: string) => number
  /** How much more of a handler's work it can take in all. */
  readonly roomFor: (handler: string) => number
  /** How much of the workers a tenant may have beside others: 1, 2, 4 by its class. */
  readonly weight: (tenant: string) => number
  /** The version of a handler's code, or undefined where this process lacks it. */
  readonly version: (handler: string) => number | undefined
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
 * The lanes that are known to hold something due, by tenant. Claims go round the tenants, so that how much
 * one has queued makes no difference to another: each gets a share by its weight, from its most urgent lanes.
 */
export class LaneRing {
  readonly #tenants = new Map<string, Map<string, Stamped>>()
  #stamp = 0

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
      const known = version(handler)
      const ofHandler = left.handlers.get(handler) ?? roomFor(handler)
      const take = Math.min(each, room(handler, tenant), ofHandler, left.all)
      if (known === undefined || take <= 0) return []
      left.all -= take
      left.handlers.set(handler, ofHandler - take)
      this.#toEnd(lanes, stamped)
      return [{ ...lane, stamp, version: known, take }]
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
