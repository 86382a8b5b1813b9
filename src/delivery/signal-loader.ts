import type { StoredSignal } from "../signal/stored-signal.ts"
import type { Database } from "../store/database.ts"
import { type ClaimedDelivery, releaseDeliveries } from "../store/deliveries.ts"
import { noteLostAttempts, settleDeliveries } from "../store/settlements.ts"
import type { Placements } from "../store/placements.ts"
import { selectSignalsOf } from "../store/signals.ts"
import type { Telemetry } from "../telemetry/telemetry.ts"
import { tellLost } from "./tell-settled.ts"

/** A claimed delivery with its signal. */
export interface Claimed {
  readonly delivery: ClaimedDelivery
  readonly signal: StoredSignal
  /** The quoted schema of its tenant. */
  readonly schema: string
}

/** What signals are read with. */
export interface LoaderDeps {
  readonly worker: string
  readonly database: Database
  readonly placements: Placements
  readonly telemetry: Telemetry
}

interface Loading extends LoaderDeps {
  readonly onGivenBack: (delivery: ClaimedDelivery) => void
}

/**
 * Reads the signals of claimed deliveries, those of each schema together. Where a schema cannot be read, its
 * deliveries are given back without counting the attempt, and the others go on.
 *
 * @param onGivenBack is told of each delivery before it is given back.
 */
export async function loadSignals(
  deliveries: readonly ClaimedDelivery[],
  loader: LoaderDeps,
  onGivenBack: (delivery: ClaimedDelivery) => void,
): Promise<readonly Claimed[]> {
  const deps: Loading = { ...loader, onGivenBack }
  const bySchema = await groupBySchema(deliveries, deps)
  const loaded = await Promise.all(
    [...bySchema].map(async ([schema, group]) => {
      try {
        return await loadSchema(schema, group, deps)
      } catch (error) {
        await giveBack(group, error, deps)
        return []
      }
    }),
  )
  return loaded.flat()
}

async function groupBySchema(
  deliveries: readonly ClaimedDelivery[],
  deps: Loading,
): Promise<ReadonlyMap<string, readonly ClaimedDelivery[]>> {
  const bySchema = new Map<string, ClaimedDelivery[]>()
  const homeless: ClaimedDelivery[] = []
  for (const delivery of deliveries) {
    const schema = await findSchema(delivery.tenant, deps)
    if (schema === undefined) {
      homeless.push(delivery)
      continue
    }
    const group = bySchema.get(schema)
    if (group) group.push(delivery)
    else bySchema.set(schema, [delivery])
  }
  if (homeless.length > 0) await giveBack(homeless, undefined, deps)
  return bySchema
}

/** The quoted schema of a tenant; undefined, and told, where it cannot be found. */
export async function findSchema(tenant: string, { placements, telemetry }: LoaderDeps): Promise<string | undefined> {
  try {
    return (placements.known(tenant) ?? (await placements.find(tenant))).scope.schema
  } catch (error) {
    telemetry.tell("background.failed", { step: "claim", error })
    return undefined
  }
}

async function giveBack(group: readonly ClaimedDelivery[], error: unknown, deps: Loading): Promise<void> {
  for (const delivery of group) deps.onGivenBack(delivery)
  if (error !== undefined) deps.telemetry.tell("background.failed", { step: "claim", error })
  // When this fails too, their leases end by themselves.
  await releaseDeliveries(deps.database, group).catch((failure: unknown) =>
    deps.telemetry.tell("background.failed", { step: "release", error: failure }),
  )
}

async function loadSchema(
  schema: string,
  group: readonly ClaimedDelivery[],
  deps: LoaderDeps,
): Promise<readonly Claimed[]> {
  const { database, telemetry } = deps
  const lost = group.filter(({ lostBy }) => lostBy !== null)
  if (lost.length > 0) await noteLostAttempts(database, schema, lost)
  const keys = new Map(group.map(({ tenant, signalId }) => [`${tenant} ${signalId}`, { tenant, id: signalId }]))
  const fields = { schema, signals: keys.size }
  const signals = await telemetry.span("load", fields, () => selectSignalsOf(database.hot, schema, [...keys.values()]))
  const byKey = new Map(signals.map((signal) => [`${signal.tenant} ${signal.id}`, signal]))
  const found = group.flatMap((delivery) => {
    const signal = byKey.get(`${delivery.tenant} ${delivery.signalId}`)
    return signal ? [{ delivery, signal, schema }] : []
  })
  if (found.length < group.length) await cancelGone(schema, group, byKey, deps)
  for (const { delivery, signal } of found) if (delivery.lostBy !== null) tellLost(delivery, signal, telemetry)
  return found
}

/** A delivery whose signal is not there any more has nothing to run on. */
async function cancelGone(
  schema: string,
  group: readonly ClaimedDelivery[],
  found: ReadonlyMap<string, StoredSignal>,
  { database, worker }: LoaderDeps,
): Promise<void> {
  const gone = group.filter(({ tenant, signalId }) => !found.has(`${tenant} ${signalId}`))
  const error = { name: "SignalGone", message: "the signal is not in the store any more; nothing is left to do" }
  const came = { error, outcome: "cancelled", durationMs: 0, retryInMs: 0, version: 1 } as const
  const settlements = gone.map((delivery) => ({ delivery, ...came }))
  await settleDeliveries(database, schema, worker, settlements)
}
