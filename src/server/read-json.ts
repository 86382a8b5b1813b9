import { FleetPromptError } from "../errors.ts"
import { readBody } from "./read-body.ts"

/** Longest body of a request that changes something, bytes. */
const MAX_BYTES = 65_536

/**
 * The body of a request, which must be a JSON object. Its fields may be anything: whoever uses them checks them.
 *
 * @throws FleetPromptError `body_malformed`, `body_too_large`
 */
export async function readJson(request: Request, maxBytes = MAX_BYTES): Promise<Readonly<Record<string, unknown>>> {
  const bytes = await readBody(request, maxBytes)
  const value = parsed(new TextDecoder().decode(bytes))
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    // An object has fields by name; that they may be anything is what the type says.
    return value as Readonly<Record<string, unknown>>
  }
  throw new FleetPromptError("body_malformed", "expected a JSON object as body, got something else; send one")
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
