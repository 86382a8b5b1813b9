import { FleetPromptError } from "../errors.ts"
import type { Directive } from "./directive.ts"

/** Most types that an error lists. */
const MAX_LISTED = 20

/**
 * Definitions by their types.
 *
 * @throws FleetPromptError `directive_invalid` when a type occurs twice
 */
export function byType(definitions: readonly Directive[]): ReadonlyMap<string, Directive> {
  const known = new Map<string, Directive>()
  for (const definition of definitions) {
    if (known.has(definition.type))
      throw new FleetPromptError(
        "directive_invalid",
        `expected each directive to have a type of its own, got two called "${definition.type}"; rename one`,
      )
    known.set(definition.type, definition)
  }
  return known
}

/**
 * The fleet's definition of a type.
 *
 * @throws FleetPromptError `directive_unknown`, which names those that there are, the most similar first
 */
export function definitionOf(
  asked: string | Pick<Directive, "type">,
  definitions: ReadonlyMap<string, Directive>,
): Directive {
  const type = typeof asked === "string" ? asked : asked.type
  const found = definitions.get(type)
  if (found) return found
  throw new FleetPromptError(
    "directive_unknown",
    `expected ${listed(type, [...definitions.keys()])}, got ${quoted(type)}`,
  )
}

function listed(asked: string, types: readonly string[]): string {
  if (types.length === 0) return "a directive of this fleet, which defines none: give createFleet({ directives }) some"
  const near = new Map(types.map((type) => [type, distance(asked, type)]))
  const sorted = types.toSorted((one, other) => (near.get(one) ?? 0) - (near.get(other) ?? 0))
  const more = sorted.length > MAX_LISTED ? `, or one of ${sorted.length - MAX_LISTED} more` : ""
  return `one of the fleet's directives, ${sorted.slice(0, MAX_LISTED).join(", ")}${more}`
}

/** A text from outside, cut. */
function quoted(type: unknown): string {
  return JSON.stringify(String(type).slice(0, 100))
}

/** How many letters have to be put in, taken out or changed (Levenshtein). */
function distance(one: string, other: string): number {
  const letters = Math.min(one.length, 100)
  let row = Array.from({ length: other.length + 1 }, (_, at) => at)
  for (let above = 0; above < letters; above++) {
    const next = [above + 1]
    for (let at = 0; at < other.length; at++) {
      const changed = (row[at] ?? 0) + (one[above] === other[at] ? 0 : 1)
      next.push(Math.min(changed, (row[at + 1] ?? 0) + 1, (next[at] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}
