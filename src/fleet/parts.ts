import type { Handler } from "../delivery/handler-definition.ts"
import { defineHandler } from "../delivery/handler.ts"
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
import { standardGuards } from "../guard/guards.ts"
import { type Announcement, CHANNEL, parseAnnouncement } from "../store/announcements.ts"
import { Announcer } from "../store/announcer.ts"
import type { Database } from "../store/database.ts"
import { endAllLeases } from "../store/deliveries.ts"
import { checkDurability } from "../store/durability.ts"
import { migrateControl } from "../store/migrate.ts"
import { Placements } from "../store/placements.ts"
import { selectTenants } from "../store/tenants.ts"
import { callListener } from "../telemetry/listener-warning.ts"
import type { Telemetry } from "../telemetry/telemetry.ts"
import { repairTenants } from "../tenants/provision.ts"
import type { TenantDeps } from "../tenants/tenant.ts"
import type { CommitListener, FleetOptions } from "./options.ts"

/** What a running fleet holds. */
export interface Parts {
  readonly database: Database
  readonly emitDeps: EmitDeps
  readonly tenantDeps: TenantDeps
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
}

/** How often the queue is looked at where no announcement can be heard, milliseconds. */
const DEAF_POLL_MS = 200
const DEFAULT_MAX_DATA_BYTES = 1_048_576

/** Brings the schemas up to date, makes every part and lets them begin. */
export async function assemble(database: Database, deps: PartsDeps): Promise<Parts> {
  deps.options.onProgress?.("bringing schemas up to date")
  await migrateControl(database)
  await repairTenants(database)
  // One process has the embedded database; one that was given to the fleet may serve another fleet as well.
  if (database.kind === "embedded" && deps.options.database === undefined) await endAllLeases(database)
  if (database.kind === "server")
    for (const risk of await checkDurability(database)) deps.telemetry.tell("database.risk", risk)
  const handlers = allHandlers(deps.options, () => emitDeps)
  // The announcer tells those that are made with it: by then they are there.
  const hearers: Hearers = {
    worker: () => worker,
    replayer: () => replayer,
    scheduler: () => scheduler,
    commitListeners: deps.commitListeners,
  }
  const announcer = createAnnouncer(database, deps, (announcement) => hear(announcement, hearers))
  const placements = new Placements(database)
  const worker = createWorker(database, placements, announcer, handlers, () => emitDeps, deps)
  const emitDeps = createEmitDeps(database, placements, announcer, handlers, worker, deps)
  const replayer = new Replayer({ ...emitDeps, worker: deps.name })
  const scheduler = createScheduler(emitDeps, deps)
  const unlisten = await listen(database, hearers, deps)
  if (deps.options.worker !== false) {
    await worker.start().catch(async (error: unknown) => {
      await unlisten()
      throw error
    })
    replayer.start()
    scheduler.start()
  }
  return {
    database,
    emitDeps,
    tenantDeps: { ...emitDeps, onCommit: deps.onCommit },
    worker,
    scheduler,
    stop: async (graceMs) => {
      await Promise.all([scheduler.stop(), replayer.stop()])
      const released = await worker.stop(graceMs)
      await announcer.flushed()
      await unlisten()
      return released
    },
  }
}

/** The user's handlers and the built-in one. */
function allHandlers({ handlers = [], retention }: FleetOptions, emitDeps: () => EmitDeps): readonly Handler[] {
  return retention === false ? handlers : [...handlers, defineHandler(retentionHandler(retention ?? {}, emitDeps))]
}

function createScheduler(emitDeps: EmitDeps, { name, options, telemetry }: PartsDeps): Scheduler {
  const { schedules = [], retention } = options
  return new Scheduler({
    workerName: name,
    database: emitDeps.database,
    telemetry,
    schedules: retention === false ? schedules : [...schedules, defineSchedule(retentionSchedule(retention ?? {}))],
    emitTo: (tenant, type, data, attributes) => emit(tenant, type, data, attributes, emitDeps),
    listTenants: async () => {
      const tenants = await selectTenants(emitDeps.database)
      return tenants.filter(({ status }) => status === "ready")
    },
  })
}

function createAnnouncer(
  database: Database,
  { name, telemetry }: PartsDeps,
  onOwn: (announcement: Announcement) => void,
): Announcer {
  const onError = (error: unknown): void => telemetry.tell("background.failed", { step: "announce", error })
  return new Announcer({ database: database.hot, origin: name, onOwn, onError })
}

function createWorker(
  database: Database,
  placements: Placements,
  announcer: Announcer,
  handlers: readonly Handler[],
  emitDeps: () => EmitDeps,
  { name, options, telemetry }: PartsDeps,
): Worker {
  const { worker } = options
  return new Worker({
    name,
    database,
    placements,
    announcer,
    telemetry,
    handlers: worker === false ? [] : handlers,
    emitFor: (cause, delivery) =>
      emitterFor(
        cause,
        {
          handler: delivery.handler,
          deliveryId: deliveryId(delivery),
        },
        emitDeps,
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
    }),
    admission: new Admission({
      ...DEFAULT_EMIT_QUEUE,
      ...options.emitQueue,
    }),
    guards: standardGuards({ maxDataBytes: options.maxDataBytes ?? DEFAULT_MAX_DATA_BYTES }),
    routes: routesTo(handlers),
  }
}

/** The worker's own methods, in the shape that emit knows. */
function handOffTo(worker: Worker): HandOff {
  return {
    holder: worker.holder,
    reserve: (tenant, delivery) => worker.reserve(tenant, delivery),
    take: (delivery, signal, schema) => worker.take(delivery, signal, schema),
    cancel: (tenant, delivery) => worker.cancel(tenant, delivery),
  }
}

/** Who is told what was committed. */
interface Hearers {
  readonly worker: () => Worker
  readonly replayer: () => Replayer
  readonly scheduler: () => Scheduler
  readonly commitListeners: ReadonlySet<CommitListener>
}

function listen(database: Database, hearers: Hearers, { name }: PartsDeps): Promise<() => Promise<void>> {
  return database.listen(CHANNEL, {
    onMessage: (payload) => {
      const heard = parseAnnouncement(payload)
      // What this process announces, it heard at once.
      if (heard && heard.origin !== name) hear(heard, hearers)
    },
    onGap: () => {
      hearers.worker().wake()
      hearers.replayer().wake()
      for (const listener of hearers.commitListeners) callListener("a gap", () => listener.onGap())
    },
  })
}

function hear({ news, lanes, pauses, replays, schedules }: Announcement, hearers: Hearers): void {
  if (lanes.length > 0) hearers.worker().wake(lanes)
  if (pauses) hearers.worker().readPauses()
  if (replays) hearers.replayer().wake()
  if (schedules) hearers.scheduler().wake()
  for (const each of news) {
    for (const listener of hearers.commitListeners) {
      callListener("a commit", () => (each.isMore ? listener.onGap() : listener.onCommit(each)))
    }
  }
}
