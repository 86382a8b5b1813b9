import type { JsonValue } from "fleetprompt"
import type { z } from "zod"
import { OutsideError } from "./outside-error.ts"

/** What a system answered, as a schema reads it. @throws OutsideError, without what came */
export function readAnswer<Answer>(system: string, schema: z.ZodType<Answer>, value: JsonValue): Answer {
  const read = schema.safeParse(value)
  if (read.success) return read.data
  const where = read.error.issues[0]?.path.join(".") ?? ""
  throw new OutsideError(`expected ${system} to answer as it says, got something else at ${where || "the top"}`, {
    system,
    status: null,
    retryAfterMs: null,
    isPassing: false,
  })
}
