import type { StoredSignal } from "../signal/stored-signal.ts"
import type { Database, Queryable } from "../store/database.ts"
import { type ClaimedDelivery, releaseDeliveries } from "../store/deliveries.ts"
import { GrowingPause } from "../store/growing-pause.ts"
import { noteLostAttempts, settleDeliveries } from "../store/settlements.ts"
import type { Placements } from "../store/placements.ts"
import { selectSignalsOf } from "../store/signals.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { isTransient } from "../store/transient.ts"
import type { Telemetry } from "../telemetry/telemetry.ts"
import type { Suspects } from "./suspects.ts"
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
  /** Says what is not to be taken now. */
  readonly suspects?: Suspects
}

/** How long deliveries that cannot be given back are tried to be, milliseconds: less than a lease by default. */
const RELEASE_MS = 10_000
const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 1_000

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
  claimed: readonly ClaimedDelivery[],
  loader: LoaderDeps,
  onGivenBack: (delivery: ClaimedDelivery) => void,
): Promise<readonly Claimed[]> {
  const deps: Loading = { ...loader, onGivenBack }
  const deliveries = (await loader.suspects?.sift(claimed)) ?? claimed
  const bySchema = await groupBySchema(deliveries, deps)
  const loaded = await Promise.all(
    [...bySchema].map(async ([schema, group]) => {
      try {
        return await loadSchema(schema, group, deps)
      } catch (error) {
        await giveBack(group.deliveries, error, deps)
        return []
      }
    }),
  )
  loader.suspects?.came(deliveries)
  return loaded.flat()
}

/** Deliveries of tenants of one schema, and the scopes of these tenants. */
interface SchemaGroup {
  readonly deliveries: ClaimedDelivery[]
  readonly scopes: Map<string, TenantScope>
}

async function groupBySchema(
  deliveries: readonly ClaimedDelivery[],
  deps: Loading,
): Promise<ReadonlyMap<string, SchemaGroup>> {
  const bySchema = new Map<string, SchemaGroup>()
  const homeless: ClaimedDelivery[] = []
  for (const delivery of deliveries) {
    const scope = await findScope(delivery.tenant, deps)
    if (scope === undefined) {
      homeless.push(delivery)
      continue
    }
    const group: SchemaGroup = bySchema.get(scope.schema) ?? { deliveries: [], scopes: new Map() }
    bySchema.set(scope.schema, group)
    group.deliveries.push(delivery)
    group.scopes.set(scope.slug, scope)
  }
  if (homeless.length > 0) await giveBack(homeless, undefined, deps)
  return bySchema
}

/** The quoted schema of a tenant; undefined, and told, where it cannot be found. */
export async function findSchema(tenant: string, deps: LoaderDeps): Promise<string | undefined> {
  return (await findScope(tenant, deps))?.schema
}

async function findScope(tenant: string, { placements, telemetry }: LoaderDeps): Promise<TenantScope | undefined> {
  try {
    return (placements.known(tenant) ?? (await placements.find(tenant))).scope
  } catch (error) {
    telemetry.tell("background.failed", { step: "claim", error })
    return undefined
  }
}

async function giveBack(group: readonly ClaimedDelivery[], error: unknown, deps: Loading): Promise<void> {
  for (const delivery of group) deps.onGivenBack(delivery)
  if (error !== undefined) deps.telemetry.tell("background.failed", { step: "claim", error })
  // Others do not wait for further tries.
  if (!(await isReleased(group, deps))) void releaseLater(group, deps)
}

/** Tries for nearly as long as the leases hold: when they end, the attempts count, though nothing was run. */
async function releaseLater(group: readonly ClaimedDelivery[], deps: Loading): Promise<void> {
  const pause = new GrowingPause(FIRST_PAUSE_MS, LONGEST_PAUSE_MS)
  const deadline = performance.now() + RELEASE_MS
  do await pause.rest()
  while (!(await isReleased(group, deps)) && performance.now() < deadline)
}

/** Gives back; false when that is worth another try. */
async function isReleased(group: readonly ClaimedDelivery[], { database, telemetry }: Loading): Promise<boolean> {
  try {
    await releaseDeliveries(database, group)
    return true
  } catch (error) {
    telemetry.tell("background.failed", { step: "release", error })
    return !isTransient(error)
  }
}

async function loadSchema(
  schema: string,
  { deliveries: group, scopes }: SchemaGroup,
  deps: LoaderDeps,
): Promise<readonly Claimed[]> {
  const { telemetry } = deps
  const tenants = [...scopes.values()]
  const lost = group.filter(({ lostBy }) => lostBy !== null)
  if (lost.length > 0) await noteLostAttempts(deps.database, schema, lost)
  const found = await withSignals(deps.database.hot.of(tenants), schema, group, telemetry)
  if (found.length < group.length) found.push(...(await cancelGone(schema, tenants, without(group, found), deps)))
  for (const { delivery, signal } of found) if (delivery.lostBy !== null) tellLost(delivery, signal, telemetry)
  return found
}

/** Those of the deliveries whose signals are there. */
async function withSignals(
  tx: Queryable,
  schema: string,
  group: readonly ClaimedDelivery[],
  telemetry: Telemetry,
): Promise<Claimed[]> {
  const keys = new Map(group.map(({ tenant, signalId }) => [`${tenant} ${signalId}`, { tenant, id: signalId }]))
  const fields = { schema, signals: keys.size }
  const signals = await telemetry.span("load", fields, () => selectSignalsOf(tx, schema, [...keys.values()]))
  const byKey = new Map(signals.map((signal) => [`${signal.tenant} ${signal.id}`, signal]))
  return group.flatMap((delivery) => {
    const signal = byKey.get(`${delivery.tenant} ${delivery.signalId}`)
    return signal ? [{ delivery, signal, schema }] : []
  })
}

function without(group: readonly ClaimedDelivery[], found: readonly Claimed[]): readonly ClaimedDelivery[] {
  const isFound = new Set(found.map(({ delivery }) => delivery))
  return group.filter((delivery) => !isFound.has(delivery))
}

/**
 * A delivery whose signal is not there any more has nothing to run on. It is read once more where that is written
 * down: after a failover, a connection to the old server does not show what the new one has.
 *
 * @returns those whose signals are there after all.
 */
async function cancelGone(
  schema: string,
  tenants: readonly TenantScope[],
  missing: readonly ClaimedDelivery[],
  { database, worker, telemetry }: LoaderDeps,
): Promise<readonly Claimed[]> {
  const error = { name: "SignalGone", message: "the signal is not in the store any more; nothing is left to do" }
  const came = { error, outcome: "cancelled", durationMs: 0, retryInMs: 0, version: 1 } as const
  const cancel = async (tx: Queryable): Promise<readonly Claimed[]> => {
    const found = await withSignals(tx, schema, missing, telemetry)
    const gone = without(missing, found).map((delivery) => ({ delivery, ...came }))
    if (gone.length > 0) await settleDeliveries(tx, schema, worker, gone)
    return found
  }
  return database.transaction(cancel, { role: { tenants } })
}
