import { anyCodePoint, classEscapes, type CodePoints, complement, normalised, notLineEnd } from "./code-points.ts"

/** A regular expression, read. */
export type Expression =
  | { readonly kind: "set"; readonly set: CodePoints }
  | { readonly kind: "sequence"; readonly parts: readonly Expression[] }
  | { readonly kind: "either"; readonly of: readonly Expression[] }
  | { readonly kind: "repeat"; readonly body: Expression; readonly min: number; readonly max: number }

/** Why an expression is not read, in words for whoever wrote it. */
export class UnreadPattern extends Error {}

const QUANTIFIER = /^(?:[*+?]|\{(\d+)(?:(,)(\d*))?\})\??/
const GROUP = /^\((?:\?:|\?<[A-Za-z_$][\w$]*>|(?!\?))/
const ESCAPE = /^\\(?:u\{([0-9a-fA-F]+)\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|c([A-Za-z])|([pP])\{[^}]*\}|(.))/u
const CONTROLS: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13, 0: 0 }

/**
 * Reads a regular expression that compiles with the flag `u` and has no anchors. Only what a machine without memory
 * can match is read: no look-around, no reference back, no word boundary.
 *
 * @throws UnreadPattern
 */
export function readExpression(text: string): Expression {
  const [expression, rest] = readEither(text)
  if (rest !== "") throw new UnreadPattern(`"${rest.slice(0, 10)}" is not read`)
  return expression
}

/** What was read, and what is left. */
type Read<Value> = readonly [value: Value, rest: string]

function readEither(text: string): Read<Expression> {
  const of: Expression[] = []
  let rest = text
  for (;;) {
    const [sequence, after] = readSequence(rest)
    of.push(sequence)
    if (!after.startsWith("|")) return [of.length === 1 ? sequence : { kind: "either", of }, after]
    rest = after.slice(1)
  }
}

function readSequence(text: string): Read<Expression> {
  const parts: Expression[] = []
  let rest = text
  while (rest !== "" && !rest.startsWith("|") && !rest.startsWith(")")) {
    const [atom, after] = readAtom(rest)
    const [part, next] = readQuantifier(atom, after)
    parts.push(part)
    rest = next
  }
  return [{ kind: "sequence", parts }, rest]
}

function readQuantifier(body: Expression, text: string): Read<Expression> {
  const found = QUANTIFIER.exec(text)
  if (!found) return [body, text]
  const [all, least, comma, most] = found
  const rest = text.slice(all.length)
  if (least === undefined)
    return [{ kind: "repeat", body, ...(QUANTIFIERS[all.charAt(0)] ?? { min: 1, max: 1 }) }, rest]
  const min = Number(least)
  const max = comma === undefined ? min : most === "" ? Number.POSITIVE_INFINITY : Number(most)
  return [{ kind: "repeat", body, min, max }, rest]
}

const QUANTIFIERS: Readonly<Record<string, { readonly min: number; readonly max: number }>> = {
  "*": { min: 0, max: Number.POSITIVE_INFINITY },
  "+": { min: 1, max: Number.POSITIVE_INFINITY },
  "?": { min: 0, max: 1 },
}

function readAtom(text: string): Read<Expression> {
  const [first = ""] = text
  if (first === "(") return readGroup(text)
  if (first === "[") return readClass(text)
  if (first === "\\") {
    const [set, rest] = readEscape(text)
    return [{ kind: "set", set }, rest]
  }
  if (first === "^" || first === "$")
    throw new UnreadPattern(`"^" may stand only at the beginning of the whole pattern, and "$" only at its end`)
  return [{ kind: "set", set: first === "." ? notLineEnd : one(first) }, text.slice(first.length)]
}

function readGroup(text: string): Read<Expression> {
  const opened = GROUP.exec(text)
  if (!opened) throw new UnreadPattern("a group with look-around or flags is not allowed")
  const [inside, rest] = readEither(text.slice(opened[0].length))
  return [inside, rest.slice(1)]
}

function readClass(text: string): Read<Expression> {
  const isNegated = text.startsWith("[^")
  let rest = text.slice(isNegated ? 2 : 1)
  const sets: (readonly [number, number])[] = []
  while (!rest.startsWith("]")) {
    const [from, afterFrom] = readMember(rest)
    const isRange = afterFrom.startsWith("-") && !afterFrom.startsWith("-]")
    const [to, afterTo] = isRange ? readMember(afterFrom.slice(1)) : ([from, afterFrom] as const)
    if (isRange) sets.push([from[0]?.[0] ?? 0, to[0]?.[1] ?? 0])
    else sets.push(...from)
    rest = afterTo
  }
  const set = isNegated ? complement(sets) : normalised(sets)
  return [{ kind: "set", set }, rest.slice(1)]
}

function readMember(text: string): Read<CodePoints> {
  if (text.startsWith("\\b")) return [[[8, 8]], text.slice(2)]
  if (text.startsWith("\\")) return readEscape(text)
  const [first = ""] = text
  return [one(first), text.slice(first.length)]
}

function readEscape(text: string): Read<CodePoints> {
  const found = ESCAPE.exec(text)
  if (!found) throw new UnreadPattern(`the escape "${text.slice(0, 6)}" is not read`)
  const [all, braced, four, two, control, property, letter = ""] = found
  const rest = text.slice(all.length)
  const hex = braced ?? four ?? two
  // Half of a surrogate pair may stand for a character together with the next escape: any character, to be safe.
  if (hex !== undefined) return [isSurrogate(hex) ? anyCodePoint : point(Number.parseInt(hex, 16)), rest]
  if (control !== undefined) return [point(control.charCodeAt(0) % 32), rest]
  // What a property stands for is not known here: taken for any character, which refuses more than it need.
  if (property !== undefined) return [anyCodePoint, rest]
  if (/[1-9kbB]/.test(letter))
    throw new UnreadPattern(`"\\${letter}" (a reference back or a word boundary) is not allowed`)
  return [classEscapes[letter] ?? point(CONTROLS[letter] ?? letter.codePointAt(0) ?? 0), rest]
}

function isSurrogate(hex: string): boolean {
  return /^d[89a-f]/i.test(hex) && hex.length === 4
}

function one(character: string): CodePoints {
  return point(character.codePointAt(0) ?? 0)
}

function point(code: number): CodePoints {
  return [[code, code]]
}
