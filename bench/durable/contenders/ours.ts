import { Client } from "pg"
import type * as fleetprompt from "../../../src/fleetprompt.ts"
import { type EventData, findsOne, handlerNames, type Setup, type Station } from "../station.ts"

const TYPE = "bench.order.placed"
/** How many tenants are provisioned at once. */
const PROVISIONED_AT_ONCE = 8

/** At its defaults. Every process knows the handlers; one that does not work only fans out to them. */
export async function open({ url, handlers, tenants, placement, works, onHandled }: Setup): Promise<Station> {
  const { createFleet, defineHandler } = await ourPackage()
  const run = (index: number) => (context: fleetprompt.HandlerContext<EventData>) =>
    onHandled(index, context.signal.data)
  const fleet = createFleet({
    databaseUrl: url,
    handlers: handlerNames(handlers).map((name, index) => defineHandler({ name, on: "bench.**", run: run(index) })),
    ...(!works && { worker: false as const }),
  })
  await fleet.start()
  const client = new Client({ connectionString: url })
  await client.connect()
  await provision(fleet, client, tenants, placement)
  return {
    emit: (data) => fleet.tenant(data.tenant).emit(TYPE, data),
    emitBatch: (events) => tenantOf(fleet, events).emitMany(events.map((data) => ({ type: TYPE, data }))),
    hasOpenJobs: () => findsOne(client, "select 1 from fleetprompt.deliveries limit 1"),
    close: async () => {
      await fleet.stop({ graceMs: 0 })
      await client.end()
    },
  }
}

/** The package as it was built, with its own dependencies: those installed for the peers are not ours. */
async function ourPackage() {
  const built = new URL("../../../../../dist/fleetprompt.js", import.meta.url)
  return (await import(built.href)) as typeof fleetprompt
}

/** Many events of one call are of one tenant. */
function tenantOf(fleet: fleetprompt.Fleet, [first]: readonly EventData[]): fleetprompt.Tenant {
  if (!first) throw new Error("expected at least one event")
  return fleet.tenant(first.tenant)
}

async function provision(
  fleet: fleetprompt.Fleet,
  client: Client,
  tenants: Setup["tenants"],
  placement: Setup["placement"],
) {
  const left = [...tenants]
  const provisionNext = async (): Promise<void> => {
    const slug = left.pop()
    if (slug === undefined) return
    await fleet.tenants.provision(slug, { placement })
    return provisionNext()
  }
  await Promise.all(Array.from({ length: PROVISIONED_AT_ONCE }, provisionNext))
  const { rowCount } = await client.query(
    "select from fleetprompt.tenants where placement = $1 and slug <> 'fleetprompt'",
    [placement],
  )
  if (rowCount !== tenants.length) {
    throw new Error(`expected ${tenants.length} tenants with placement ${placement}, got ${rowCount}`)
  }
}
