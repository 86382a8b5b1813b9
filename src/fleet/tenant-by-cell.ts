import { openApiKeys } from "../access/api-keys.ts"
import { openInvitations } from "../access/invitations.ts"
import { openMembers } from "../access/members.ts"
import { openOrganisation } from "../access/organisations.ts"
import { openServiceAccounts } from "../access/service-accounts.ts"
import { scopeOfTenant } from "../access/tenant-scopes.ts"
import type { EmitItem, EmitOptions } from "../emit/emit.ts"
import type { TypedSignal } from "../signal/define-signal.ts"
import { newId } from "../signal/id.ts"
import { elsewhere } from "../store/placements.ts"
import { openTenant, type Tenant, lazily } from "../tenants/tenant.ts"
import { atHome } from "./at-home.ts"
import type { Cells } from "./cells.ts"
import { tailByCell } from "./tail-by-cell.ts"

/** Does something with the door of the tenant in the cell where it is. */
type AtHome = <Result>(run: (door: Tenant) => Promise<Result>) => Promise<Result>

/**
 * A tenant's door in a fleet of several databases: each call is made where the tenant is by then. Its people, keys and
 * service accounts are in the first database, whatever its place.
 *
 * @throws FleetPromptError `tenant_invalid`
 */
export function openTenantByCell(slug: string, running: () => Cells): Tenant {
  const doors = new Map<string, Tenant>()
  const doorIn = (cell: string): Tenant => {
    const door = doors.get(cell) ?? openTenant(slug, () => running().get(cell).tenantDeps)
    doors.set(cell, door)
    return door
  }
  const home: AtHome = (run) => atHome(running(), slug, (cell) => run(doorIn(cell)))
  // Never called: says which calls there are.
  const sample = openTenant(slug, () => running().main.tenantDeps)
  return Object.freeze({
    slug,
    ...emitsAtHome(home, doorIn, slug, running),
    signals: {
      ...routed(sample.signals, ({ signals }) => signals, home),
      tail: (options = {}) => tailByCell(slug, options, running),
    },
    deliveries: routed(sample.deliveries, ({ deliveries }) => deliveries, home),
    deadLetters: routed(sample.deadLetters, ({ deadLetters }) => deadLetters, home),
    replays: {
      ...routed(sample.replays, ({ replays }) => replays, home),
      watch: (id, options) => lazily(() => home(async ({ replays }) => replays.watch(id, options))),
    },
    pauses: routed(sample.pauses, ({ pauses }) => pauses, home),
    directives: routed(sample.directives, ({ directives }) => directives, home),
    packages: routed(sample.packages, ({ packages }) => packages, home),
    credentials: routed(sample.credentials, ({ credentials }) => credentials, home),
    audit: {
      ...routed(sample.audit, ({ audit }) => audit, home),
      export: async function* (options) {
        yield* await home(async ({ audit }) => audit.export(options))
      },
    },
    ...peopleOf(slug, running),
    counts: () => home((door) => door.counts()),
    openDeliveries: () => home((door) => door.openDeliveries()),
    deepestChain: () => home((door) => door.deepestChain()),
    // `emit` has overloads, which say what its one implementation cannot.
  } satisfies Omit<Tenant, "emit"> & { readonly emit: unknown }) as Tenant
}

/**
 * Emits keep their ids when they are made again in another cell: one that was committed before the move, and not heard
 * of, was moved along and is found.
 */
function emitsAtHome(home: AtHome, doorIn: (cell: string) => Tenant, slug: string, running: () => Cells) {
  const joined = async <Result>(run: (door: Tenant) => Promise<Result>): Promise<Result> => {
    const cell = await running().directory.find(slug)
    try {
      return await run(doorIn(cell))
    } catch (error) {
      if (isMissing(error)) throw elsewhere(slug, cell)
      throw error
    }
  }
  return {
    emit: (given: string | TypedSignal<unknown, unknown>, data: unknown, options: EmitOptions = {}) => {
      // The door takes both; its overloads take each by itself.
      const type = given as string
      // A transaction is one of its own database: nothing can be made again elsewhere.
      if (options.tx) return joined((door) => door.emit(type, data, options))
      const kept = { ...options, id: options.id ?? newId() }
      return home((door) => door.emit(type, data, kept))
    },
    emitMany: (items: readonly EmitItem[], options: Parameters<Tenant["emitMany"]>[1] = {}) => {
      if (options.tx) return joined((door) => door.emitMany(items, options))
      const kept = items.map((item) => ({ ...item, id: item.id ?? newId() }))
      return home((door) => door.emitMany(kept))
    },
  }
}

/** The tables are not there: the transaction is one of another database. */
function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "42P01" || error.code === "3F000")
}

/** What of a tenant is in the first database, where its people are. */
function peopleOf(slug: string, running: () => Cells) {
  const scopeOf = (of: string) => scopeOfTenant(of, running().main.tenantDeps)
  const people = () => ({ database: running().main.database, scopeOf })
  const keys = () => ({
    ...running().main.tenantDeps,
    placements: { findToRead: async (of: string) => ({ scope: await scopeOf(of) }) },
  })
  return {
    apiKeys: openApiKeys(slug, keys),
    serviceAccounts: openServiceAccounts(slug, keys),
    members: openMembers(slug, people),
    invitations: openInvitations(slug, people),
    organisation: openOrganisation(slug, people),
  }
}

/** The same calls, each made with the door of the cell where the tenant is. Only for calls that answer with a promise. */
function routed<Door extends object>(sample: Door, choose: (door: Tenant) => Door, home: AtHome): Door {
  const call =
    (name: string) =>
    (...values: readonly unknown[]) =>
      home(async (door) => {
        // `name` is one of the names of `sample`, whose values are all functions.
        const method = (choose(door) as Readonly<Record<string, (...values: readonly unknown[]) => unknown>>)[name]
        return method?.(...values)
      })
  // The same names with functions of the same parameters and answers: each passes on what it was given.
  return Object.fromEntries(Object.keys(sample).map((name) => [name, call(name)])) as Door
}
