import type { Evidence } from "./evidence.ts"
import type { Violation } from "./violation.ts"

/** M5: each replay came to its end, looked at each signal once, and made as many deliveries as it says. */
export function checkReplays({ replays, changes }: Evidence): readonly Violation[] {
  return replays.flatMap(({ id, tenant, status, total, seen, enqueued }) => {
    const made = changes.filter(({ old, new: row }) => old === null && row?.replay_id === id).length
    if (status === "completed" && seen === total && enqueued === made) return []
    const what = `a replay of ${tenant} is ${status}, saw ${seen} of ${total} signals, says it made ${enqueued} deliveries and made ${made}`
    return [{ invariant: "M5", what, ids: [id] }]
  })
}
