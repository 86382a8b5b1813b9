import type { Credentials } from "../credentials/credentials.ts"
import { credentialsForHandlers } from "../credentials/handler-credentials.ts"
import type { Handler } from "../delivery/handler-definition.ts"
import { HandlerSet } from "../delivery/handler-set.ts"
import { LeaseKeeper } from "../delivery/lease-keeper.ts"
import { deliveryId } from "../delivery/run-context.ts"
import { DEFAULT_WORKER_SETTINGS, Worker } from "../delivery/worker.ts"
import type { EmitDeps } from "../emit/emit.ts"
import { emitterFor } from "../emit/emit-for-handler.ts"
import type { HandOff } from "../emit/hand-off.ts"
import type { Guard } from "../guard/candidate.ts"
import { revealedGuard } from "../guard/revealed-guard.ts"
import type { Announcer } from "../store/announcer.ts"
import type { Database } from "../store/database.ts"
import type { Placements } from "../store/placements.ts"
import type { Telemetry } from "../telemetry/telemetry.ts"
import type { FleetOptions } from "./options.ts"

/** What a worker's parts are made with. */
export interface WorkerPartsDeps {
  /** Names this process. */
  readonly name: string
  readonly options: FleetOptions
  readonly telemetry: Telemetry
}

/** How often the queue is looked at where no announcement can be heard, milliseconds. */
const DEAF_POLL_MS = 200

/** Not for the embedded database, which lives in the loop itself, nor for one that was given to the fleet, which may be anything. */
export function createKeeper({
  name,
  options: { database, databaseUrl, worker },
  telemetry,
}: WorkerPartsDeps): LeaseKeeper | undefined {
  if (worker === false || database !== undefined || databaseUrl === undefined) return undefined
  const { leaseMs } = { ...DEFAULT_WORKER_SETTINGS, ...worker }
  return new LeaseKeeper({ worker: name, connectionString: databaseUrl, leaseMs, telemetry })
}

/** What this process runs: these from the beginning, and what is brought later. */
export function createHandlerSet(
  handlers: readonly Handler[],
  keeper: LeaseKeeper | undefined,
  { options }: WorkerPartsDeps,
): HandlerSet {
  return new HandlerSet(options.worker === false ? [] : handlers, keeper && ((handler) => keeper.mark(handler)))
}

/** What claims and runs deliveries. */
export function createWorker(
  database: Database,
  placements: Placements,
  announcer: Announcer,
  handlers: HandlerSet,
  emitDeps: () => EmitDeps,
  { name, options, telemetry }: WorkerPartsDeps,
  credentials: Credentials,
): Worker {
  const { worker } = options
  return new Worker({
    name,
    database,
    placements,
    announcer,
    telemetry,
    handlers,
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

/** Once a secret was revealed to a handler, what it emits is looked at for it before anything else is. */
function withGuard(guard: Guard, emitDeps: EmitDeps): EmitDeps {
  return { ...emitDeps, guards: [guard, ...emitDeps.guards] }
}

/** The worker's own methods, in the shape that emit knows. */
export function handOffTo(worker: Worker): HandOff {
  return {
    holder: worker.holder,
    reserve: (tenant, delivery) => worker.reserve(tenant, delivery),
    take: (delivery, signal, schema) => worker.take(delivery, signal, schema),
    cancel: (tenant, delivery) => worker.cancel(tenant, delivery),
    along: (schema) => worker.along(schema),
  }
}
