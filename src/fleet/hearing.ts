import type { Scheduler } from "../delivery/scheduler.ts"
import type { Worker } from "../delivery/worker.ts"
import type { Replayer } from "../emit/replay.ts"
import type { Bindings } from "../packages/runtime/bindings.ts"
import type { PackageSchedules } from "../packages/runtime/package-schedules.ts"
import { type Announcement, CHANNEL, parseAnnouncement } from "../store/announcements.ts"
import type { Database } from "../store/database.ts"
import type { Placements } from "../store/placements.ts"
import { callListener } from "../telemetry/listener-warning.ts"
import type { OperationRunner } from "../tenants/operation-runner.ts"
import type { Callers } from "./callers.ts"
import type { CommitListener } from "./options.ts"

/** What of a process hears of commits. */
export interface HearingParts {
  readonly worker: Worker
  readonly replayer: Replayer
  readonly scheduler: Scheduler
  readonly callers: Callers
  readonly operations: OperationRunner
  readonly placements: Placements
  readonly bindings: Bindings
  readonly packageSchedules: PackageSchedules
}

/** Who is told what was committed. */
export interface Hearers {
  /** By the first announcement they are there. */
  readonly parts: () => HearingParts
  readonly onAccess: () => void
  readonly commitListeners: ReadonlySet<CommitListener>
}

/** Those of a process. */
export function hearersOf(parts: () => HearingParts, { onAccess, commitListeners }: Omit<Hearers, "parts">): Hearers {
  return { parts, onAccess, commitListeners }
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
      hearers.parts().worker.wake()
      hearers.parts().replayer.wake()
      hearers.parts().placements.doubt()
      hearers.parts().bindings.wake()
      hearers.parts().packageSchedules.heard()
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
  if (lanes.length > 0) hearers.parts().worker.wake(lanes)
  if (pauses) hearers.parts().worker.readPauses()
  if (replays) hearers.parts().replayer.wake()
  if (schedules) hearers.parts().scheduler.wake()
  if (bindings) {
    hearers.parts().bindings.wake()
    hearers.parts().packageSchedules.heard()
  }
  if (tenants) {
    hearers.parts().placements.doubt()
    hearers.parts().worker.readPauses()
    hearers.parts().operations.heard()
  }
  if (access) {
    hearers.parts().callers.checker.changed()
    hearers.onAccess()
  }
  for (const each of news) {
    for (const listener of hearers.commitListeners) {
      callListener("a commit", () => (each.isMore ? listener.onGap() : listener.onCommit(each)))
    }
  }
}
