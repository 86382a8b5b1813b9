import { deliveryId } from "../delivery/run-context.ts"
import { DEFAULT_WORKER_SETTINGS, Worker } from "../delivery/worker.ts"
import { Admission, DEFAULT_EMIT_QUEUE } from "../emit/admission.ts"
import type { EmitDeps } from "../emit/emit.ts"
import { emitterFor } from "../emit/emit-for-handler.ts"
import { routesTo } from "../emit/fan-out.ts"
import type { HandOff } from "../emit/hand-off.ts"
import { Writer } from "../emit/writer.ts"
import { type Announcement, CHANNEL, parseAnnouncement } from "../store/announcements.ts"
import { Announcer } from "../store/announcer.ts"
import type { Database } from "../store/database.ts"
import { endAllLeases } from "../store/deliveries.ts"
import { checkDurability } from "../store/durability.ts"
import { migrateControl } from "../store/migrate.ts"
import { Placements } from "../store/placements.ts"
import type { Telemetry } from "../telemetry/telemetry.ts"
import { repairTenants } from "../tenants/provision.ts"
import type { CommitListener, FleetOptions } from "./options.ts"

/** What a running fleet holds. */
export interface Parts {
  readonly database: Database
  readonly emitDeps: EmitDeps
  readonly worker: Worker
  /** Ends what runs by itself, the worker last. Returns how many deliveries were given back. */
  readonly stop: (graceMs: number) => Promise<number>
}

/** What the parts are made with. */
export interface PartsDeps {
  readonly name: string
  readonly options: FleetOptions
  readonly telemetry: Telemetry
  readonly commitListeners: ReadonlySet<CommitListener>
}

/** How often the queue is looked at where no announcement can be heard, milliseconds. */
const DEAF_POLL_MS = 200
const DEFAULT_MAX_DATA_BYTES = 1_048_576

/** Brings the schemas up to date, makes every part and lets them begin. */
export async function assemble(database: Database, deps: PartsDeps): Promise<Parts> {
  deps.options.onProgress?.("bringing schemas up to date")
  await migrateControl(database)
  await repairTenants(database)
  if (database.kind === "embedded") await endAllLeases(database)
  else for (const risk of await checkDurability(database)) deps.telemetry.tell("database.risk", risk)
  // The announcer tells the worker, which is made with the announcer: by then both are there.
  const announcer = createAnnouncer(database, deps, (announcement) => hear(announcement, worker, deps))
  const placements = new Placements(database)
  const worker = createWorker(database, placements, announcer, () => emitDeps, deps)
  const emitDeps = createEmitDeps(database, placements, announcer, worker, deps)
  const unlisten = await listen(database, worker, deps)
  await worker.start()
  return {
    ...{ database, emitDeps, worker },
    stop: async (graceMs) => {
      const released = await worker.stop(graceMs)
      await announcer.flushed()
      await unlisten()
      return released
    },
  }
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
  emitDeps: () => EmitDeps,
  { name, options, telemetry }: PartsDeps,
): Worker {
  const { worker, handlers = [] } = options
  return new Worker({
    ...{ name, database, placements, announcer, telemetry },
    handlers: worker === false ? [] : handlers,
    emitFor: (cause, delivery) =>
      emitterFor(cause, { handler: delivery.handler, deliveryId: deliveryId(delivery) }, emitDeps),
    settings: { ...DEFAULT_WORKER_SETTINGS, ...(!database.hears && { pollMs: DEAF_POLL_MS }), ...worker },
  })
}

function createEmitDeps(
  database: Database,
  placements: Placements,
  announcer: Announcer,
  worker: Worker,
  { options, telemetry }: PartsDeps,
): EmitDeps {
  const handOff = options.worker === false ? undefined : handOffTo(worker)
  return {
    ...{ database, placements, announcer, telemetry },
    writer: new Writer({ hot: database.hot, announcer, telemetry, handOff }),
    admission: new Admission({ ...DEFAULT_EMIT_QUEUE, ...options.emitQueue }),
    maxDataBytes: options.maxDataBytes ?? DEFAULT_MAX_DATA_BYTES,
    routes: routesTo(options.handlers ?? []),
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

function listen(database: Database, worker: Worker, deps: PartsDeps): Promise<() => Promise<void>> {
  return database.listen(CHANNEL, {
    onMessage: (payload) => {
      const heard = parseAnnouncement(payload)
      // What this process announces, it heard at once.
      if (heard && heard.origin !== deps.name) hear(heard, worker, deps)
    },
    onGap: () => {
      worker.wake()
      for (const listener of deps.commitListeners) listener.onGap()
    },
  })
}

function hear({ news, lanes, pauses }: Announcement, worker: Worker, { commitListeners }: PartsDeps): void {
  if (lanes.length > 0) worker.wake(lanes)
  if (pauses) worker.readPauses()
  for (const each of news) {
    for (const listener of commitListeners) {
      if (each.isMore) listener.onGap()
      else listener.onCommit(each)
    }
  }
}
