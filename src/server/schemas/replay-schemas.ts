import { z } from "zod"
import { count, jsonObject, named, noted, reason, text, time, uuid } from "./fields.ts"

/** What is to be replayed, and how. */
export const replayRequest = named(
  "ReplayRequest",
  z.object({
    signalId: uuid("One signal; or `filter`.").exactOptional(),
    filter: noted(
      z.strictObject({
        pattern: text("Of their types: `order.**`.").exactOptional(),
        from: time("They happened at this time or later.").exactOptional(),
        to: time("They happened before this time.").exactOptional(),
        subject: text("What they are about.").exactOptional(),
        correlationId: text("Of their first cause.").exactOptional(),
        source: text("Where they happened.").exactOptional(),
      }),
      "All signals that meet every condition.",
    ).exactOptional(),
    handler: text("Only this handler, where it fits. Default: every handler that fits.").exactOptional(),
    force: noted(z.boolean(), "Runs handlers again whose last attempt succeeded. Default false.").exactOptional(),
    perSecond: count("Signals a second, at most: 1 to 10,000. Default 100.").exactOptional(),
    maxOpen: count("Deliveries of it in the queue at once: 1 to 10,000. Default 1,000.").exactOptional(),
    reason,
  }),
)

/** Where a replay stands. */
export const replay = named(
  "Replay",
  z.object({
    id: uuid("Of the replay."),
    request: replayRequest,
    requestedBy: z.object({ id: text("Who asked."), role: text("Their role then."), kind: text("What they are.").optional() }),
    status: noted(
      z.enum(["running", "paused", "completed", "cancelled", "failed"]),
      "paused: makes no more deliveries until it is resumed; failed: `error` says why.",
    ),
    total: count("Signals in all, as counted at the start."),
    seen: count("Signals looked at so far."),
    enqueued: count("Deliveries made so far."),
    skipped: count("Deliveries left out so far."),
    open: count("Deliveries made that are still to be done."),
    error: jsonObject.nullable(),
    createdAt: time("When it was asked for."),
    updatedAt: time("When it last got further."),
    finishedAt: time("When it ended.").nullable(),
  }),
)

/** What a replay would do. */
export const replayPlan = named(
  "ReplayPlan",
  z.object({
    signals: count("Signals that match."),
    handlers: z.array(
      z.object({
        handler: text("Its name."),
        run: count("Deliveries that would be made."),
        skipped: z.object({
          succeeded: count("Its last attempt succeeded, and `force` was not asked for."),
          open: count("In the queue already."),
          notReplayable: count("The handler does not let a replay run it."),
        }),
      }),
    ),
    isComplete: noted(z.boolean(), "False when the time ran out before every signal was looked at."),
  }),
)
