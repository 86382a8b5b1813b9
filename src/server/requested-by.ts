import type { Context } from "hono"
import { actorOf } from "../access/principal-actor.ts"
import { FleetPromptError } from "../errors.ts"
import { textFault } from "../signal/json.ts"
import type { RequestedBy } from "../tenants/act-entry.ts"
import type { AccessEnv } from "./permit.ts"

/** Longest `reason`, characters. */
const MAX_REASON = 500

/**
 * Who asks, and why: the caller, and the `reason` of the body.
 *
 * @throws FleetPromptError `request_invalid`
 */
export function requestedBy(context: Context<AccessEnv>, { reason }: Readonly<Record<string, unknown>>): RequestedBy {
  const by = actorOf(context.get("principal"))
  if (reason === undefined) return { by }
  if (typeof reason === "string" && reason.length <= MAX_REASON && textFault(reason) === undefined)
    return { by, reason }
  throw new FleetPromptError(
    "request_invalid",
    `expected a text of at most ${MAX_REASON} characters as reason, got something else; say why in short, or leave it out`,
    { path: "reason" },
  )
}
