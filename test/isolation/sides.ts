import { randomBytes } from "node:crypto"
import { inspect } from "node:util"
import { defineHandler, type Fleet, type Handler } from "../../src/fleetprompt.ts"
import type { Database } from "../../src/store/database.ts"
import { type Placement, type TenantScope, tenantScope } from "../../src/store/tenant-scope.ts"
import type { Tenant } from "../../src/tenants/tenant.ts"
import { testSlug } from "../support/test-fleet.ts"
import { fillOrders, type Orders } from "./orders.ts"

/** One of two tenants that are to know nothing of each other. */
export interface Side {
  readonly scope: TenantScope
  readonly tenant: Tenant
  /** Stands in everything that is this tenant's: data, errors, reasons, names. */
  readonly marker: string
  /** Ids of what it has: signals, accounts, directives, installations, credentials, replays. */
  readonly ids: readonly string[]
  readonly orders: Orders
}

/** Keys and sources that both tenants use, since nothing keeps two tenants from the same words. */
export const SAME_KEY = "the-same-key"
export const HANDLERS = ["isolation.fails", "isolation.answers"] as const

/** A handler that fails with the tenant's marker in its error, and one that emits it on. */
export function isolationHandlers(): readonly Handler[] {
  const fails = defineHandler({
    name: HANDLERS[0],
    on: "thing.failed",
    retry: { attempts: 1 },
    run: ({ signal }) => {
      throw new Error(`cannot do ${JSON.stringify(signal.data)}`)
    },
  })
  const answers = defineHandler({
    name: HANDLERS[1],
    on: "thing.asked",
    run: async ({ signal, emit }) => void (await emit("thing.answered", signal.data)),
  })
  return [fails, answers]
}

/** Makes a tenant and fills everything that a tenant can have. */
export async function makeSide(fleet: Fleet, placement: Placement, name: string): Promise<Side> {
  const slug = testSlug(`${name} ${placement}`)
  await fleet.tenants.provision(slug, { placement })
  const tenant = fleet.tenant(slug)
  const marker = `${name}${randomBytes(12).toString("hex")}`
  const orders = await fillOrders(fleet, tenant, marker)
  const ids = [...(await fillSignals(tenant, marker)), ...(await fillAccess(tenant, marker)), ...Object.values(orders)]
  await fleet.drain()
  ids.push(await startReplay(tenant, marker))
  await tenant.pauses.pause({ handler: `paused.${marker}`, reason: marker })
  await fleet.drain()
  return { scope: tenantScope(slug, placement), tenant, marker, ids, orders }
}

async function fillSignals(tenant: Tenant, marker: string): Promise<readonly string[]> {
  const data = { note: marker }
  const same = { dedupeKey: SAME_KEY, source: "app", sourceEventId: SAME_KEY, subject: `thing:${SAME_KEY}` }
  const emitted = [
    await tenant.emit("thing.happened", data, same),
    await tenant.emit("thing.failed", data),
    await tenant.emit("thing.asked", data),
    await tenant.emit("thing.hidden", data, { visibility: "admin_only" }),
  ]
  return emitted.map(({ signal }) => signal.id)
}

async function fillAccess(tenant: Tenant, marker: string): Promise<readonly string[]> {
  const account = await tenant.serviceAccounts.create({ name: marker, role: "member" })
  return [account.id]
}

async function startReplay(tenant: Tenant, marker: string): Promise<string> {
  const request = { filter: { pattern: "thing.happened" }, reason: marker }
  return (await tenant.replays.start(request, { actor: { id: marker, role: "owner" } })).id
}

/** Everything as text in which a marker would be found, however deep and whatever hides it from JSON. */
export function textOf(value: unknown): string {
  if (typeof value === "string") return value
  return inspect(value, {
    depth: Infinity,
    showHidden: true,
    maxArrayLength: null,
    maxStringLength: null,
    getters: true,
  })
}

/** Every row of a tenant as text, by table: so that a change is seen. */
export async function rowsOf(
  database: Database,
  { slug, schema }: TenantScope,
): Promise<Readonly<Record<string, string>>> {
  const tables = await database.query<{ name: string }>(
    `select pg_class.oid::regclass::text as name from pg_class join pg_attribute on attrelid = pg_class.oid and attname = 'tenant'
     where relkind = 'r' and relnamespace in (to_regnamespace($1), 'fleetprompt'::regnamespace) order by 1`,
    [schema],
  )
  const rows: Record<string, string> = {}
  for (const { name } of tables) {
    // What happens by itself: requests that were counted, an audit log that is chained.
    if (/audit|request_limits/.test(name)) continue
    const found = await database.query<{ row: string }>(
      `select row_to_json(all_rows)::text as row from ${name} as all_rows where tenant = $1 order by 1`,
      [slug],
    )
    rows[name] = found.map(({ row }) => row).join("\n")
  }
  return rows
}
