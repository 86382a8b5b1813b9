import type { EffectNode, JsonValue, Tenant } from "fleetprompt"

/** A signal of a chain. */
export type ChainLink = {
  readonly type: string
  readonly id: string
  /** Id of the signal that caused it; null for the first. */
  readonly causationId: string | null
  /** What emitted it; null for the first. */
  readonly handler: string | null
  readonly data: JsonValue
  /** How many causes stand before it. */
  readonly depth: number
}

/** Longest data that is printed, UTF-16 units. */
const MAX_DATA = 100

/** A signal and all that it led to: each after its cause, and before what came of others of that cause. */
export async function chainOf(tenant: Tenant, id: string): Promise<readonly ChainLink[]> {
  const first = await tenant.signals.get(id, ["internal"])
  if (!first) return []
  const { type, data } = first.signal
  const link = { type: String(type), id, causationId: null, handler: null, data: asJson(data), depth: 0 }
  return [link, ...(await below(tenant, id, first.effects, 1))]
}

async function below(
  tenant: Tenant,
  causationId: string,
  effects: readonly EffectNode[],
  depth: number,
): Promise<readonly ChainLink[]> {
  const links: ChainLink[] = []
  for (const { id, type, handler, effects: further } of effects) {
    const detail = await tenant.signals.get(id, ["internal"])
    links.push({ type, id, causationId, handler, data: asJson(detail?.signal["data"]), depth })
    links.push(...(await below(tenant, id, further, depth + 1)))
  }
  return links
}

function asJson(data: unknown): JsonValue {
  // Data of stored signals is JSON; without any it is left out.
  return (data ?? null) as JsonValue
}

/** Prints a chain as a tree, each signal with the end of its cause's id. */
export function printChain(title: string, links: readonly ChainLink[]): void {
  console.log(`\n${title}`)
  for (const { type, id, causationId, handler, data, depth } of links) {
    const cause = causationId === null ? "" : ` caused by ${short(causationId)}, ${handler}`
    console.log(`  ${"  ".repeat(depth)}${type}  ${short(id)}${cause}`)
    console.log(`  ${"  ".repeat(depth)}  ${JSON.stringify(data).slice(0, MAX_DATA)}`)
  }
}

/** Ids begin with the time, so that their ends tell them apart. */
function short(id: string): string {
  return id.slice(-8)
}
