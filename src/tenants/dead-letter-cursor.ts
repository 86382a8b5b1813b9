import { FleetPromptError } from "../errors.ts"
import { isUuid } from "../signal/id.ts"
import { isTime } from "../signal/time.ts"
import type { DeadLetterPlace } from "../store/dead-letters.ts"

/** Writes where a list goes on as one opaque word. */
export function formatPlace({ diedAt, signalId, handler }: DeadLetterPlace): string {
  return Buffer.from(`${diedAt} ${signalId} ${handler}`).toString("base64url")
}

/** @throws FleetPromptError `query_invalid` */
export function parsePlace(cursor: string): DeadLetterPlace {
  const [diedAt = "", signalId = "", handler = "", ...rest] = Buffer.from(cursor, "base64url").toString().split(" ")
  if (isTime(diedAt) && isUuid(signalId) && handler !== "" && rest.length === 0) return { diedAt, signalId, handler }
  throw new FleetPromptError("query_invalid", "expected the next of an earlier page as after, got something else")
}
