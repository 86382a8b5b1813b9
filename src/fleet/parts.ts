import { Credentials } from "../credentials/credentials.ts"
import { credentialsForHandlers } from "../credentials/handler-credentials.ts"
import { KeyRing } from "../credentials/key-ring.ts"
import { AuditChainer } from "../audit/audit-chainer.ts"
import { auditKeySource } from "../audit/audit-key-source.ts"
import type { ChainDeps } from "../audit/chain-writer.ts"
import { isProduction } from "../config.ts"
import type { Handler } from "../delivery/handler-definition.ts"
import { defineHandler } from "../delivery/handler.ts"
import { LeaseKeeper } from "../delivery/lease-keeper.ts"
import { deliveryId } from "../delivery/run-context.ts"
import { defineSchedule } from "../delivery/schedule.ts"
import { Scheduler } from "../delivery/scheduler.ts"
import { DEFAULT_WORKER_SETTINGS, Worker } from "../delivery/worker.ts"
import { Admission, DEFAULT_EMIT_QUEUE } from "../emit/admission.ts"
import { emit, type EmitDeps } from "../emit/emit.ts"
import { emitterFor } from "../emit/emit-for-handler.ts"
import { routesTo } from "../emit/fan-out.ts"
import type { HandOff } from "../emit/hand-off.ts"
import { Replayer } from "../emit/replay.ts"
import { retentionHandler, retentionSchedule } from "../emit/retention-handler.ts"
import { Writer } from "../emit/writer.ts"
import { PLATFORM } from "../guard/slug.ts"
import type { Guard } from "../guard/candidate.ts"
import { standardGuards } from "../guard/guards.ts"
import { revealedGuard } from "../guard/revealed-guard.ts"
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
import type { OperationDeps } from "../tenants/operation-step.ts"
import { procedures, sweepKept } from "../tenants/procedures.ts"
import type { TenantsDeps } from "../tenants/tenants-door.ts"
import type { TenantDeps } from "../tenants/tenant.ts"
import type { RequestDeps } from "../tenants/migrations/request-migrations.ts"
import { type Callers, createCallers } from "./callers.ts"
import { keysOf } from "./key-options.ts"
import { checkStart } from "./start-checks.ts"
import { hear, type Hearers, listen } from "./hearing.ts"
import type { CommitListener, FleetOptions } from "./options.ts"
import { begin, end } from "./running.ts"
import { beginMigrations, createMigrationHandler, migrationsOf, platformEmitDeps, withoutPlatform } from "./platform.ts"

/** What a running fleet holds. */
export interface Parts {
  readonly database: Database
  readonly emitDeps: EmitDeps
  readonly tenantDeps: TenantDeps
  /** What secrets are sealed by, and what keys of single purposes are derived from. */
  readonly keyRing: KeyRing
  readonly callers: Callers
  /** What migrations of tenants' schemas are asked for with. */
  readonly requestDeps: RequestDeps
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
  /** Is called when what callers may do may have changed. */
  readonly onAccess: () => void
}

/** How often the queue is looked at where no announcement can be heard, milliseconds. */
const DEAF_POLL_MS = 200
const DEFAULT_MAX_DATA_BYTES = 1_048_576

/** Brings the schemas up to date, makes every part and lets them begin. */
export async function assemble(database: Database, deps: PartsDeps): Promise<Parts> {
  deps.options.onProgress?.("bringing schemas up to date")
  await migrateControl(database)
  // One process has the embedded database; one that was given to the fleet may serve another fleet as well.
  if (database.kind === "embedded" && deps.options.database === undefined) await endAllLeases(database)
  if (database.kind === "server")
    await checkStart(database, { production: deps.options.production ?? isProduction(), telemetry: deps.telemetry })
  const builtIn = builtInHandlers(deps.options, () => emitDeps)
  const handlers = [...(deps.options.handlers ?? []), ...builtIn]
  // The announcer tells those that are made with it: by then they are there.
  const hearers: Hearers = {
    worker: () => worker,
    replayer: () => replayer,
    scheduler: () => scheduler,
    callers: () => callers,
    operations: () => operations,
    placements: () => placements,
    onAccess: deps.onAccess,
    commitListeners: deps.commitListeners,
  }
  const announcer = createAnnouncer(database, deps, (announcement) => hear(announcement, hearers))
  const placements = new Placements(database, latestVersion(migrationsOf(deps.options)))
  const keyRing = new KeyRing(database, keysOf(deps.options))
  const credentials = createCredentials(database, placements, keyRing, deps)
  const keeper = createKeeper(handlers, deps)
  const worker = createWorker(
    database,
    placements,
    announcer,
    keeper?.handlers ?? handlers,
    () => emitDeps,
    deps,
    credentials,
  )
  const emitDeps = createEmitDeps(database, placements, announcer, handlers, worker, deps)
  const replayer = new Replayer({ ...emitDeps, worker: deps.name })
  const requestDeps = {
    database,
    emitDeps: platformEmitDeps(emitDeps, builtIn),
    migrations: migrationsOf(deps.options),
  }
  const scheduler = createScheduler(emitDeps, requestDeps.emitDeps, deps)
  const callers = createCallers(database.hot, deps.telemetry, deps.options.apiKeys ?? {}, () =>
    keyRing.derive("api_keys"),
  )
  await callers.start()
  const auditKeys = auditKeySource(deps.options.audit ?? {}, async () =>
    keyRing.isThere ? keyRing.derive("audit_head") : undefined,
  )
  const chainer = createChainer(database, auditKeys, deps)
  const operationDeps = createOperationDeps(emitDeps, requestDeps.migrations, deps)
  const operations = new OperationRunner({ ...operationDeps, procedures, sweep: () => sweepKept(database) })
  const unlisten = await listen(database, hearers, deps.name)
  const running = { worker, keeper, replayer, scheduler, operations, callers, chainer, announcer, unlisten }
  await begin(running, deps.options.worker !== false)
  const endMigrations = beginMigrations(deps.options, requestDeps)
  return {
    database,
    emitDeps,
    keyRing,
    tenantDeps: { ...emitDeps, credentials, onCommit: deps.onCommit, apiKeys: callers.apiKeys, auditKeys },
    callers,
    requestDeps,
    tenantsDeps: { ...operationDeps, wake: () => operations.wake() },
    worker,
    scheduler,
    stop: (graceMs) => end(running, endMigrations, graceMs),
  }
}

function createOperationDeps(
  { database, placements, announcer, telemetry }: EmitDeps,
  migrations: OperationDeps["migrations"],
  { name }: PartsDeps,
): OperationDeps {
  return { database, placements, announcer, telemetry, migrations, worker: name }
}

/** What the fleet itself runs on signals. */
function builtInHandlers(options: FleetOptions, emitDeps: () => EmitDeps): readonly Handler[] {
  const { retention } = options
  const migration = createMigrationHandler(options, emitDeps)
  return retention === false ? [migration] : [migration, defineHandler(retentionHandler(retention ?? {}, emitDeps))]
}

function createChainer(database: Database, keys: ChainDeps["keys"], { options, telemetry }: PartsDeps): AuditChainer {
  const { pollMs } = options.audit ?? {}
  return new AuditChainer({ database, keys, telemetry, ...(pollMs !== undefined && { pollMs }) })
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

/** Not for the embedded database, which lives in the loop itself, nor for one that was given to the fleet, which may be anything. */
function createKeeper(
  handlers: readonly Handler[],
  { name, options: { database, databaseUrl, worker }, telemetry }: PartsDeps,
): LeaseKeeper | undefined {
  if (worker === false || database !== undefined || databaseUrl === undefined) return undefined
  const { leaseMs } = { ...DEFAULT_WORKER_SETTINGS, ...worker }
  return new LeaseKeeper({ worker: name, connectionString: databaseUrl, leaseMs, handlers, telemetry })
}

function createWorker(
  database: Database,
  placements: Placements,
  announcer: Announcer,
  handlers: readonly Handler[],
  emitDeps: () => EmitDeps,
  { name, options, telemetry }: PartsDeps,
  credentials: Credentials,
): Worker {
  const { worker } = options
  return new Worker({
    name,
    database,
    placements,
    announcer,
    telemetry,
    handlers: worker === false ? [] : handlers,
    credentialsFor: credentialsForHandlers(() => credentials),
    emitFor: (cause, delivery, revealed) =>
      emitterFor(
        cause,
        {
          handler: delivery.handler,
          deliveryId: deliveryId(delivery),
        },
        () => (revealed.isEmpty ? emitDeps() : withGuard(revealedGuard(revealed), emitDeps())),
      ),
    settings: {
      ...DEFAULT_WORKER_SETTINGS,
      ...(!database.hears && { pollMs: DEAF_POLL_MS }),
      ...worker,
    },
  })
}

function createEmitDeps(
  database: Database,
  placements: Placements,
  announcer: Announcer,
  handlers: readonly Handler[],
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
    routes: routesTo(handlers),
  }
}

/** Once a secret was revealed to a handler, what it emits is looked at for it before anything else is. */
function withGuard(guard: Guard, emitDeps: EmitDeps): EmitDeps {
  return { ...emitDeps, guards: [guard, ...emitDeps.guards] }
}

/** The worker's own methods, in the shape that emit knows. */
function handOffTo(worker: Worker): HandOff {
  return {
    holder: worker.holder,
    reserve: (tenant, delivery) => worker.reserve(tenant, delivery),
    take: (delivery, signal, schema) => worker.take(delivery, signal, schema),
    cancel: (tenant, delivery) => worker.cancel(tenant, delivery),
    along: (schema) => worker.along(schema),
  }
}
