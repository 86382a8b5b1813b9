import { z } from "zod"
import { count, jsonObject, named, next, noted, reason, text, time, uuid } from "./fields.ts"
import { attempt, cloudEvent, visibility } from "./signal-schemas.ts"

/** A delivery that is to be done. */
export const openDelivery = named(
  "OpenDelivery",
  z.object({
    signalId: uuid("Of the signal."),
    handler: text("Name of the handler."),
    type: text("Of the signal."),
    status: noted(z.enum(["waiting", "running", "retrying"]), "retrying: failed or given back, to be tried again."),
    attempts: count("How often it was tried."),
    priority: count("The higher, the sooner."),
    runAt: time("When it is due."),
    enqueuedAt: time("When it was made."),
  }),
)

/** Some open deliveries. */
export const openDeliveryPage = named("OpenDeliveryPage", z.object({ deliveries: z.array(openDelivery), next }))

/** A delivery that was given up and waits for somebody's decision. */
export const deadLetter = named(
  "DeadLetter",
  z.object({
    signalId: uuid("Of the signal."),
    handler: text("Name of the handler."),
    type: noted(z.string().nullable(), "Of the signal; null when it is gone."),
    visibility: visibility.nullable(),
    attempts: count("How often it was tried."),
    version: count("Of the handler that the delivery was made for."),
    flowKey: noted(z.string().nullable(), "What its handler's limits and order go by."),
    replayId: noted(z.string().nullable(), "The replay that it was part of."),
    error: noted(jsonObject.nullable(), "What the last attempt ended with."),
    diedAt: time("When it was given up."),
  }),
)

/** Some dead letters. */
export const deadLetterPage = named("DeadLetterPage", z.object({ letters: z.array(deadLetter), next }))

/** A dead letter with its signal and attempts. */
export const deadLetterDetail = named(
  "DeadLetterDetail",
  z.object({
    letter: deadLetter,
    signal: noted(cloudEvent, "As it is stored; left out when retention took it.").optional(),
    history: z.array(attempt),
  }),
)

/** Conditions on dead letters, as fields of a query and of a body. */
export const letterConditions = {
  handler: text("Only this handler's.").exactOptional(),
  type: text("Pattern of the signals' types: `order.**`.").exactOptional(),
  errorName: text("Name of the last error: `TypeError`.").exactOptional(),
  errorCode: text("Code of the last error: `handler_timeout`.").exactOptional(),
  from: time("Died at this time or later.").exactOptional(),
  to: time("Died before this time.").exactOptional(),
}

/** What is decided on: one letter, or all that a filter finds. */
export const letterDecision = named(
  "DeadLetterDecision",
  z.object({
    letter: noted(z.object({ signalId: uuid("Of the signal."), handler: text("Name of the handler.") }), "One letter.").exactOptional(),
    filter: noted(
      z.strictObject({ ...letterConditions, all: noted(z.literal(true), "Every letter is meant.").exactOptional() }),
      "All that meet every condition; in place of `letter`.",
    ).exactOptional(),
    expected: count("How many were counted; when there are more now, nothing is done.").exactOptional(),
    reason,
  }),
)

/** How many letters were decided on. */
export const decided = named("DecidedLetters", z.object({ count: count("Letters that another call decided on are not among them.") }))

/** What is not to be run for now. */
export const pause = named(
  "Pause",
  z.object({
    tenant: text("Its slug."),
    handler: text("Name of a handler, or `*` for all."),
    reason: noted(z.string().nullable(), "Why, for people."),
    pausedAt: time("Since when."),
  }),
)
