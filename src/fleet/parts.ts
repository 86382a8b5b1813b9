import { Credentials } from "../credentials/credentials.ts"
import type { KeyRing } from "../credentials/key-ring.ts"
import { AuditChainer, type ChainerDeps } from "../audit/audit-chainer.ts"
import { type AuditCells, chainAudit } from "../audit/chain-writer.ts"
import { isProduction } from "../config.ts"
import type { Handler } from "../delivery/handler-definition.ts"
import { defineHandler } from "../delivery/handler.ts"
import { defineSchedule } from "../delivery/schedule.ts"
import { Scheduler } from "../delivery/scheduler.ts"
import type { Worker } from "../delivery/worker.ts"
import { Admission, DEFAULT_EMIT_QUEUE } from "../emit/admission.ts"
import { emit, type EmitDeps } from "../emit/emit.ts"
import type { FanOutTarget } from "../emit/fan-out.ts"
import { Replayer } from "../emit/replay.ts"
import { retentionHandler, retentionSchedule } from "../emit/retention-handler.ts"
import { Routes } from "../emit/routes.ts"
import { Writer } from "../emit/writer.ts"
import { PLATFORM } from "../guard/slug.ts"
import { standardGuards } from "../guard/guards.ts"
import type { Announcement } from "../store/announcements.ts"
import { Announcer } from "../store/announcer.ts"
import type { Database } from "../store/database.ts"
import { endAllLeases } from "../store/deliveries.ts"
import { migrateControl } from "../store/migrate.ts"
import { latestVersion } from "../store/migration-kind.ts"
import { Placements } from "../store/placements.ts"
import { selectTenant, selectTenants } from "../store/tenants.ts"
import type { Telemetry } from "../telemetry/telemetry.ts"
import { OperationRunner } from "../tenants/operation-runner.ts"
import type { FleetCells, OperationDeps } from "../tenants/operation-step.ts"
import { procedures, sweepKept } from "../tenants/procedures.ts"
import type { TenantsDeps } from "../tenants/tenants-door.ts"
import type { TenantDeps } from "../tenants/tenant.ts"
import type { RequestDeps } from "../tenants/migrations/request-migrations.ts"
import type { AccessPolicy } from "../access/policy.ts"
import type { Callers } from "./callers.ts"
import { directiveRoute } from "../directives/run-directive.ts"
import { installationDirectives } from "../packages/installations/installation-directives.ts"
import { createStrays, directiveHandlers, directiveParts } from "./directive-parts.ts"
import { installationParts } from "./installation-parts.ts"
import { PackageSchedules } from "../packages/runtime/package-schedules.ts"
import { rolloutRoute } from "../packages/rollouts/rollout-handler.ts"
import type { RolloutsDeps } from "../packages/rollouts/rollouts-deps.ts"
import { createRolloutsDeps, rolloutChecks, rolloutHandlers } from "./rollout-parts.ts"
import { createBindings } from "./package-parts.ts"
import { createSharedParts, type SharedParts } from "./shared-parts.ts"
import { checkStart } from "./start-checks.ts"
import { hear, hearersOf, listen } from "./hearing.ts"
import type { CommitListener, FleetOptions } from "./options.ts"
import { begin, end } from "./running.ts"
import { beginMigrations, createMigrationHandler, migrationsOf, platformEmitDeps, withoutPlatform } from "./platform.ts"
import { createHandlerSet, createKeeper, createWorker, handOffTo } from "./worker-parts.ts"

/** What a running fleet holds. */
export interface Parts {
  readonly database: Database
  readonly emitDeps: EmitDeps
  readonly tenantDeps: TenantDeps
  /** What secrets are sealed by, and what keys of single purposes are derived from. */
  readonly keyRing: KeyRing
  /** What all databases of the fleet have in common. */
  readonly shared: SharedParts
  readonly callers: Callers
  /** What migrations of tenants' schemas are asked for with. */
  readonly requestDeps: RequestDeps
  readonly rolloutsDeps: RolloutsDeps
  /** What the door of all tenants works with. */
  readonly tenantsDeps: TenantsDeps
  readonly worker: Worker
  readonly scheduler: Scheduler
  /** Ends what runs by itself, the worker last. Returns how many deliveries were given back. */
  readonly stop: (graceMs: number) => Promise<number>
}

/** What the parts are made with. */
export interface PartsDeps {
  readonly name: string
  readonly options: FleetOptions
  readonly telemetry: Telemetry
  readonly commitListeners: ReadonlySet<CommitListener>
  /** Adds to them until the returned function is called. */
  readonly onCommit: TenantDeps["onCommit"]
  /** Decides who may request and approve directives. */
  readonly access: AccessPolicy
  /** Is called when what callers may do may have changed. */
  readonly onAccess: () => void
  /** What this one is among several databases. Undefined: there is one. */
  readonly place: CellPlace | undefined
}

/** One database among those of a fleet. */
export interface CellPlace {
  readonly cells: FleetCells
  readonly logs: AuditCells
  /** The parts of the first database, for a further one: keys and callers are known there. */
  readonly main?: Parts
}

const DEFAULT_MAX_DATA_BYTES = 1_048_576

/** Brings the schemas up to date, makes every part and lets them begin. */
export async function assemble(database: Database, deps: PartsDeps): Promise<Parts> {
  await prepareDatabase(database, deps)
  const directives = directiveParts(
    deps.options,
    installationDirectives(() => ({ ...emitDeps, ...installations })),
  )
  const runnerDeps = () => ({ ...emitDeps, credentials, directives })
  const checks = rolloutChecks(deps.options, () => rolloutsDeps)
  const builtIn = builtInHandlers(deps.options, () => emitDeps)
  const handlers = [...(deps.options.handlers ?? []), ...builtIn]
  const ownByName = [...directiveHandlers(directives, runnerDeps), ...rolloutHandlers(checks, () => rolloutsDeps)]
  // The announcer tells those that are made with it: by then they are there.
  const hearers = hearersOf(
    () => ({ worker, replayer, scheduler, callers, operations, placements, bindings, packageSchedules }),
    deps,
  )
  const announcer = createAnnouncer(database, deps, (announcement) => hear(announcement, hearers))
  const migrations = migrationsOf(deps.options)
  const placements = new Placements(database, latestVersion(migrations))
  const main = deps.place?.main
  const shared = main?.shared ?? createSharedParts(database, deps.options, deps.telemetry)
  const { keyRing, callers, auditKeys } = shared
  const credentials = createCredentials(database, placements, keyRing, deps)
  const keeper = createKeeper(deps)
  const ownHandlers = createHandlerSet([...handlers, ...ownByName], keeper, deps)
  const worker = createWorker(database, placements, announcer, ownHandlers, () => emitDeps, deps, credentials)
  const routes = new Routes([...handlers, ...routesByName()])
  const emitDeps = createEmitDeps(database, placements, announcer, routes, worker, deps)
  const bindings = createBindings(emitDeps, routes, ownHandlers, deps.options, () => worker.handlersChanged())
  const replayer = new Replayer({ ...emitDeps, worker: deps.name })
  const requestDeps = {
    database,
    emitDeps: platformEmitDeps(emitDeps, [...builtIn, ...routesByName()]),
    migrations,
  }
  const scheduler = createScheduler(emitDeps, requestDeps.emitDeps, deps)
  const packageSchedules = new PackageSchedules({ engine: database.hot, scheduler, telemetry: deps.telemetry })
  const installations = installationParts(deps.options, main?.emitDeps ?? emitDeps, callers.limiter)
  if (!main) await callers.start()
  await bindings.read()
  const chainer = createChainer({ database, keys: auditKeys, ...logsOf(deps) }, deps)
  const operationDeps = createOperationDeps(emitDeps, migrations, deps)
  const operations = new OperationRunner({ ...operationDeps, procedures, sweep: () => sweepKept(database) })
  const strays = createStrays(ownHandlers, emitDeps, runnerDeps, () => worker.handlersChanged())
  const unlisten = await listen(database, hearers, deps.name)
  const byPackages = { bindings, packageSchedules }
  const own = { worker, keeper, replayer, scheduler, operations, chainer, announcer, strays, unlisten, ...byPackages }
  const running = { ...own, callers: main ? undefined : callers }
  await begin(running, deps.options.worker !== false)
  const forTenants = { credentials, auditKeys, apiKeys: callers.apiKeys, directives, installations }
  const tenantDeps = { ...emitDeps, ...forTenants, onCommit: deps.onCommit, access: deps.access, ...logsOf(deps) }
  const rolloutsDeps = createRolloutsDeps({ ...tenantDeps, ...installations }, requestDeps, checks)
  const endMigrations = beginMigrations(deps.options, requestDeps)
  return {
    database,
    emitDeps,
    keyRing,
    shared,
    tenantDeps,
    callers,
    requestDeps,
    rolloutsDeps,
    tenantsDeps: { ...operationDeps, wake: () => operations.wake() },
    worker,
    scheduler,
    stop: (graceMs) => end(running, endMigrations, graceMs),
  }
}

/** Where signals lead whose handlers are named after what they are about. */
function routesByName(): readonly FanOutTarget[] {
  return [directiveRoute(), rolloutRoute()]
}

async function prepareDatabase(database: Database, { options, telemetry }: PartsDeps): Promise<void> {
  options.onProgress?.("bringing schemas up to date")
  await migrateControl(database)
  // One process has the embedded database; one that was given to the fleet may serve another fleet as well.
  if (database.kind === "embedded" && options.database === undefined) await endAllLeases(database)
  if (database.kind === "server")
    await checkStart(database, { production: options.production ?? isProduction(), telemetry })
}

/** Where audit logs are that are not in this database, and what waits in the first one for those that are. */
function logsOf({ place }: PartsDeps): Pick<TenantDeps, "logs" | "gather"> {
  if (!place) return {}
  const { logs, main } = place
  if (!main) return { logs }
  return { logs, gather: (log) => chainAudit(log, { ...main.tenantDeps, keys: main.tenantDeps.auditKeys }) }
}

function createOperationDeps(
  { database, placements, announcer, telemetry }: EmitDeps,
  migrations: OperationDeps["migrations"],
  { name, place }: PartsDeps,
): OperationDeps {
  const cells = place && { cells: place.cells }
  return { database, placements, announcer, telemetry, migrations, worker: name, ...cells }
}

/** What the fleet itself runs on signals. */
function builtInHandlers(options: FleetOptions, emitDeps: () => EmitDeps): readonly Handler[] {
  const { retention } = options
  const migration = createMigrationHandler(options, emitDeps)
  return retention === false ? [migration] : [migration, defineHandler(retentionHandler(retention ?? {}, emitDeps))]
}

function createChainer(
  chain: Pick<ChainerDeps, "database" | "keys" | "logs">,
  { options, telemetry }: PartsDeps,
): AuditChainer {
  const { pollMs } = options.audit ?? {}
  return new AuditChainer({ ...chain, telemetry, ...(pollMs !== undefined && { pollMs }) })
}

function createScheduler(
  emitDeps: EmitDeps,
  platformDeps: EmitDeps,
  { name, options, telemetry }: PartsDeps,
): Scheduler {
  const { retention } = options
  const schedules = (options.schedules ?? []).map(withoutPlatform)
  return new Scheduler({
    workerName: name,
    database: emitDeps.database,
    telemetry,
    schedules: retention === false ? schedules : [...schedules, defineSchedule(retentionSchedule(retention ?? {}))],
    emitTo: (tenant, type, data, attributes) =>
      emit(tenant, type, data, attributes, tenant === PLATFORM ? platformDeps : emitDeps),
    listTenants: async () => {
      const platform = await selectTenant(emitDeps.database, PLATFORM)
      const tenants = await selectTenants(emitDeps.database)
      return [...tenants, ...(platform ? [platform] : [])].filter(({ status }) => status === "ready")
    },
  })
}

function createCredentials(
  database: Database,
  placements: Placements,
  ring: KeyRing,
  { name, options }: PartsDeps,
): Credentials {
  return new Credentials({ database, placements, ring, worker: name, refreshers: options.credentialRefreshers ?? [] })
}

function createAnnouncer(
  database: Database,
  { name, telemetry }: PartsDeps,
  onOwn: (announcement: Announcement) => void,
): Announcer {
  const onError = (error: unknown): void => telemetry.tell("background.failed", { step: "announce", error })
  return new Announcer({ database: database.hot, origin: name, onOwn, onError })
}

function createEmitDeps(
  database: Database,
  placements: Placements,
  announcer: Announcer,
  routes: Routes,
  worker: Worker,
  { options, telemetry }: PartsDeps,
): EmitDeps {
  const handOff = options.worker === false ? undefined : handOffTo(worker)
  return {
    database,
    placements,
    announcer,
    telemetry,
    writer: new Writer({
      hot: database.hot,
      announcer,
      telemetry,
      handOff,
      placements,
    }),
    admission: new Admission({
      ...DEFAULT_EMIT_QUEUE,
      ...options.emitQueue,
    }),
    guards: standardGuards({ maxDataBytes: options.maxDataBytes ?? DEFAULT_MAX_DATA_BYTES }),
    routes,
  }
}
