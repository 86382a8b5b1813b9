import type { Signal } from "../signal.ts"

/** A signal with all that followed from it. */
export interface TraceNode {
  readonly signal: Signal
  /** What it caused directly, in the order of recording. */
  readonly effects: readonly TraceNode[]
}

/** How `printTrace` writes. */
export interface PrintTraceOptions {
  /** The text of a signal, one line. Default: type, id and time. */
  readonly describe?: (signal: Signal) => string
  /** Levels that are printed; below, a line says how many signals are left out. Default 64. */
  readonly maxDepth?: number
}

/** The default of `PrintTraceOptions.maxDepth`. */
export const DEFAULT_PRINTED_DEPTH = 64

/**
 * Writes a trace as a tree, one signal a line. Characters that could disturb a terminal are escaped.
 *
 * @example
 * const root = await journal.trace(id)
 * if (root) console.log(printTrace(root))
 * // lead.received  0192…01  2026-01-31T12:00:00Z
 * // ├─ lead.qualified  0192…02  2026-01-31T12:00:01Z
 * // └─ mail.sent  0192…03  2026-01-31T12:00:02Z
 */
export function printTrace(root: TraceNode, options: PrintTraceOptions = {}): string {
  const { describe = describeSignal, maxDepth = DEFAULT_PRINTED_DEPTH } = options
  const lines: string[] = []
  const stack: Branch[] = [{ node: root, depth: 1, here: "", below: "" }]
  for (let branch = stack.pop(); branch; branch = stack.pop()) {
    lines.push(branch.here + escapeInvisible(describe(branch.node.signal)))
    if (branch.depth < maxDepth) stack.push(...branchesOf(branch).toReversed())
    else if (branch.node.effects.length > 0) lines.push(`${branch.below}└─ … ${countBelow(branch.node)} more`)
  }
  return lines.join("\n")
}

/** A node still to be printed: what stands before it, and before the lines of its effects. */
interface Branch {
  readonly node: TraceNode
  readonly depth: number
  readonly here: string
  readonly below: string
}

function branchesOf({ node, depth, below }: Branch): readonly Branch[] {
  return node.effects.map((effect, index) => {
    const last = index === node.effects.length - 1
    return {
      node: effect,
      depth: depth + 1,
      here: below + (last ? "└─ " : "├─ "),
      below: below + (last ? "   " : "│  "),
    }
  })
}

function countBelow(node: TraceNode): number {
  let count = -1
  const stack = [node]
  for (let next = stack.pop(); next; next = stack.pop()) {
    count++
    for (const effect of next.effects) stack.push(effect)
  }
  return count
}

function describeSignal({ type, id, time }: Signal): string {
  return `${type}  ${id}  ${time}`
}

/** Control, format and other invisible characters as `\u{…}`: an id may hold a line break or a terminal's escape. */
function escapeInvisible(text: string): string {
  return text.replaceAll(/[\p{C}\u2028\u2029]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`)
}
