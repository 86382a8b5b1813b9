import type { Lane, LaneShare } from "../store/deliveries.ts"

/** What the ring asks of the worker before it gives a lane a share. */
export interface RingRules {
  /** How much more of a handler's work for a tenant the worker can take. */
  readonly room: (handler: string, tenant: string) => number
  /** How much of the workers a tenant may have beside others: 1, 2, 4 by its class. */
  readonly weight: (tenant: string) => number
  /** The version of a handler's code, or undefined where this process lacks it. */
  readonly version: (handler: string) => number | undefined
}

/** Lanes in one claim at most. */
const MAX_LANES = 64

/**
 * The lanes that are known to hold something due, by tenant. Claims go round the tenants, so that how much
 * one has queued makes no difference to another: each gets a share by its weight, from its most urgent lanes.
 */
export class LaneRing {
  readonly #tenants = new Map<string, Map<string, Lane>>()

  /** Lanes that may have something. */
  get size(): number {
    let size = 0
    for (const lanes of this.#tenants.values()) size += lanes.size
    return size
  }

  /** A lane has something due. */
  add(lane: Lane): void {
    const lanes = this.#tenants.get(lane.tenant)
    if (lanes) lanes.set(laneKey(lane), lane)
    else this.#tenants.set(lane.tenant, new Map([[laneKey(lane), lane]]))
  }

  /** A lane has nothing left that is due. */
  remove(lane: Lane): void {
    const lanes = this.#tenants.get(lane.tenant)
    if (lanes?.delete(laneKey(lane)) && lanes.size === 0) this.#tenants.delete(lane.tenant)
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
  shares(limit: number, rules: RingRules): readonly LaneShare[] {
    const tenants = [...this.#tenants.keys()].slice(0, Math.min(MAX_LANES, limit))
    const weights = tenants.map(rules.weight)
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    return tenants.flatMap((tenant, at) => {
      const share = Math.max(1, Math.floor((limit * (weights[at] ?? 1)) / total))
      return this.#sharesOf(tenant, share, rules)
    })
  }

  #sharesOf(tenant: string, share: number, { room, version }: RingRules): readonly LaneShare[] {
    const lanes = this.#tenants.get(tenant) ?? new Map<string, Lane>()
    this.#tenants.delete(tenant)
    this.#tenants.set(tenant, lanes)
    const able = [...lanes.values()].filter(({ handler }) => room(handler, tenant) > 0)
    const urgent = Math.min(...able.map(({ priority }) => priority))
    const first = able.filter(({ priority }) => priority === urgent).slice(0, share)
    const each = Math.floor(share / Math.max(1, first.length))
    return first.flatMap((lane) => {
      const known = version(lane.handler)
      this.#toEnd(lanes, lane)
      return known === undefined ? [] : [{ ...lane, version: known, take: Math.min(each, room(lane.handler, tenant)) }]
    })
  }

  /** Lanes of one urgency take turns. */
  #toEnd(lanes: Map<string, Lane>, lane: Lane): void {
    lanes.delete(laneKey(lane))
    lanes.set(laneKey(lane), lane)
  }
}

function laneKey({ handler, priority }: Lane): string {
  return `${priority} ${handler}`
}
