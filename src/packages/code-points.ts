/** Ranges of code points, in order and apart from each other: what one place of a pattern may match. */
export type CodePoints = readonly (readonly [from: number, to: number])[]

const LAST = 0x10_ff_ff

/** Every code point. */
export const anyCodePoint: CodePoints = [[0, LAST]]

const digits: CodePoints = [[0x30, 0x39]]
const wordCharacters: CodePoints = [
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
]
const whiteSpace: CodePoints = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x16_80, 0x16_80],
  [0x20_00, 0x20_0a],
  [0x20_28, 0x20_29],
  [0x20_2f, 0x20_2f],
  [0x20_5f, 0x20_5f],
  [0x30_00, 0x30_00],
  [0xfe_ff, 0xfe_ff],
]

/** What the dot matches: all but the ends of lines. */
export const notLineEnd: CodePoints = complement([
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x20_28, 0x20_29],
])

/** What `\d` and its like match, by letter. */
export const classEscapes: Readonly<Record<string, CodePoints>> = {
  d: digits,
  D: complement(digits),
  w: wordCharacters,
  W: complement(wordCharacters),
  s: whiteSpace,
  S: complement(whiteSpace),
}

/** Ranges in any order, put in order and joined where they touch. */
export function normalised(ranges: CodePoints): CodePoints {
  const joined: [number, number][] = []
  for (const [from, to] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const last = joined.at(-1)
    if (last && from <= last[1] + 1) last[1] = Math.max(last[1], to)
    else joined.push([from, to])
  }
  return joined
}

/** All other code points. */
export function complement(ranges: CodePoints): CodePoints {
  const others: [number, number][] = []
  let next = 0
  for (const [from, to] of normalised(ranges)) {
    if (from > next) others.push([next, from - 1])
    next = to + 1
  }
  if (next <= LAST) others.push([next, LAST])
  return others
}

/** Whether no code point is in two of the sets. */
export function areDisjoint(sets: readonly CodePoints[]): boolean {
  const ranges = sets.flat().toSorted((a, b) => a[0] - b[0])
  return ranges.every(([from], at) => at === 0 || from > (ranges[at - 1]?.[1] ?? -1))
}
