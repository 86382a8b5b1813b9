import { onTestFinished } from "vitest"
import type { FanOutTarget } from "../../src/emit/fan-out.ts"
import { Replayer, type ReplayerDeps } from "../../src/emit/replay.ts"
import { Routes } from "../../src/emit/routes.ts"
import { compilePattern } from "../../src/signal/pattern.ts"
import type { Database } from "../../src/store/database.ts"
import type { Lane } from "../../src/store/deliveries.ts"
import { isFleetPromptError } from "../../src/errors.ts"
import { isTransient } from "../../src/store/transient.ts"
import { Placements } from "../../src/store/placements.ts"
import type { Placement, TenantScope } from "../../src/store/tenant-scope.ts"
import { eventListener, type TelemetryEvents } from "../../src/telemetry/events.ts"
import { Telemetry } from "../../src/telemetry/telemetry.ts"
import { openReplays, type TenantReplays } from "../../src/tenants/replays.ts"
import { tenantOf } from "./tenant-rows.ts"

/** A handler as fan-out sees it, with the defaults filled in. */
export function target(
  name: string,
  on: string,
  more: Partial<Omit<FanOutTarget, "name" | "on">> & { readonly priorityOf?: number } = {},
): FanOutTarget {
  const { priorityOf = 0, ...options } = more
  return {
    name,
    on: compilePattern(on),
    where: undefined,
    version: 1,
    replayable: true,
    priority: () => priorityOf,
    delayMs: () => 60_000,
    flowKey: () => null,
    ...options,
  }
}

type Progress = TelemetryEvents["replay.progress"]

/** A tenant whose replays are carried out without a worker: deliveries stay in the queue until the test settles them. */
export interface ReplayRig {
  readonly scope: TenantScope
  readonly replays: TenantReplays
  readonly telemetry: Telemetry
  readonly lanes: readonly Lane[]
  readonly deps: Omit<ReplayerDeps, "worker" | "database"> & { readonly database: Database }
  /** Starts a process that carries replays out; it ends with the test. */
  readonly startReplayer: (more?: Partial<ReplayerDeps>) => Replayer
  /** Resolves at the next progress that fits. */
  readonly progress: (fits: (progress: Progress) => boolean) => Promise<Progress>
  /** Resolves when the replay has the status. */
  readonly reached: (status: Progress["status"]) => Promise<Progress>
}

export async function replayRig(
  database: Database,
  placement: Placement,
  targets: readonly FanOutTarget[],
): Promise<ReplayRig> {
  const scope = await tenantOf(database, placement)
  const lanes: Lane[] = []
  const telemetry = new Telemetry()
  const replayers = new Set<Replayer>()
  const deps = {
    database,
    placements: new Placements(database),
    routes: new Routes(targets),
    announcer: {
      enqueued: (some: readonly Lane[]) => void lanes.push(...some),
      changed: () => replayers.forEach((replayer) => replayer.wake()),
    },
    telemetry,
  }
  const progress = (fits: (progress: Progress) => boolean): Promise<Progress> =>
    new Promise((resolve, reject) => {
      const end = telemetry.listen(
        eventListener(({ name, fields }) => {
          // A statement that is wrong would otherwise only show as a test that takes too long.
          if (name === "background.failed" && isBug(fields.error)) reject(fields.error)
          if (name !== "replay.progress" || !fits(fields)) return
          end()
          resolve(fields)
        }),
      )
    })
  const startReplayer = (more: Partial<ReplayerDeps> = {}): Replayer => {
    const replayer = new Replayer({ ...deps, worker: `worker-${replayers.size}`, pollMs: 20, ...more })
    replayers.add(replayer)
    replayer.start()
    onTestFinished(() => replayer.stop())
    return replayer
  }
  // Whatever a test leaves unfinished would be taken up by the next test's processes.
  onTestFinished(async () => {
    await database.query(`update fleetprompt.replays set status = 'cancelled' where tenant = $1`, [scope.slug])
  })
  const replays = openReplays(scope.slug, () => deps)
  const reached = (status: Progress["status"]) => progress((each) => each.status === status)
  return { scope, replays, telemetry, lanes, deps, startReplayer, progress, reached }
}

/** Settles all of a tenant's deliveries, as a worker would. Returns how many there were. */
export async function settleAll(database: Database, { slug, schema }: TenantScope, outcome = "done"): Promise<number> {
  const [row] = await database.query<{ settled: number }>(
    `with closed as (delete from fleetprompt.deliveries where tenant = $1 returning *), noted as (
       insert into ${schema}.attempts (tenant, signal_id, handler, attempt, outcome, worker, replay_id, started_at, finished_at)
       select tenant, signal_id, handler, 1, $2::text, 'test', replay_id, clock_timestamp(), clock_timestamp() from closed
     )
     select count(*)::float8 as settled from closed`,
    [slug, outcome],
  )
  return row?.settled ?? 0
}

function isBug(error: unknown): boolean {
  return !isFleetPromptError(error) && !isTransient(error)
}
