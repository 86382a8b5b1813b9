import type { Scheduler } from "../delivery/scheduler.ts"
import type { Worker } from "../delivery/worker.ts"
import type { Replayer } from "../emit/replay.ts"
import type { Bindings } from "../packages/runtime/bindings.ts"
import { type Announcement, CHANNEL, parseAnnouncement } from "../store/announcements.ts"
import type { Database } from "../store/database.ts"
import type { Placements } from "../store/placements.ts"
import { callListener } from "../telemetry/listener-warning.ts"
import type { OperationRunner } from "../tenants/operation-runner.ts"
import type { Callers } from "./callers.ts"
import type { CommitListener } from "./options.ts"

/** Who is told what was committed. */
export interface Hearers {
  readonly worker: () => Worker
  readonly replayer: () => Replayer
  readonly scheduler: () => Scheduler
  readonly callers: () => Callers
  readonly operations: () => OperationRunner
  readonly placements: () => Placements
  readonly bindings: () => Bindings
  readonly onAccess: () => void
  readonly commitListeners: ReadonlySet<CommitListener>
}

/** Hears what other processes announce; `name` is this one. */
export function listen(database: Database, hearers: Hearers, name: string): Promise<() => Promise<void>> {
  return database.listen(CHANNEL, {
    onMessage: (payload) => {
      const heard = parseAnnouncement(payload)
      // What this process announces, it heard at once.
      if (heard && heard.origin !== name) hear(heard, hearers)
    },
    onGap: () => {
      hearers.worker().wake()
      hearers.replayer().wake()
      hearers.placements().doubt()
      hearers.bindings().wake()
      hearers.onAccess()
      for (const listener of hearers.commitListeners) callListener("a gap", () => listener.onGap())
    },
  })
}

/** Passes an announcement on to those whom it concerns. */
export function hear(
  { news, lanes, pauses, replays, schedules, access, tenants, bindings }: Announcement,
  hearers: Hearers,
): void {
  if (lanes.length > 0) hearers.worker().wake(lanes)
  if (pauses) hearers.worker().readPauses()
  if (replays) hearers.replayer().wake()
  if (schedules) hearers.scheduler().wake()
  if (bindings) hearers.bindings().wake()
  if (tenants) {
    hearers.placements().doubt()
    hearers.worker().readPauses()
    hearers.operations().heard()
  }
  if (access) {
    hearers.callers().checker.changed()
    hearers.onAccess()
  }
  for (const each of news) {
    for (const listener of hearers.commitListeners) {
      callListener("a commit", () => (each.isMore ? listener.onGap() : listener.onCommit(each)))
    }
  }
}
