import { z } from "zod"

/** A label, and the words that ask for it. */
export const rule = z.object({ label: z.string(), words: z.array(z.string()) })
/** A rule, read. */
export type LabelRule = z.infer<typeof rule>

/** Which team looks after which label. */
export const responsibility = z.object({ label: z.string(), team: z.string() })
/** A responsibility, read. */
export type Responsibility = z.infer<typeof responsibility>

/** Labels of one issue at most. */
const MAX_LABELS = 3
/** A pull request with so many changed lines at most has the size before it. */
const SIZES = [
  [10, "size/XS"],
  [50, "size/S"],
  [250, "size/M"],
  [1_000, "size/L"],
] as const
const LARGEST = "size/XL"

/**
 * The labels whose words a text holds, in the order of the rules; the fallback when there are none.
 *
 * @example
 * chooseLabels("A crash at night", [{ label: "bug", words: ["crash"] }], "needs-triage") // ["bug"]
 */
export function chooseLabels(text: string, rules: readonly LabelRule[], fallback: string): readonly string[] {
  const there = new Set(text.toLowerCase().match(/[\p{L}\p{N}]+/gu))
  const asked = rules.filter(({ words }) => words.some((word) => there.has(word.toLowerCase())))
  const labels = [...new Set(asked.map(({ label }) => label))].slice(0, MAX_LABELS)
  return labels.length > 0 ? labels : [fallback]
}

/** The label that says how large a change is. */
export function sizeLabel(changedLines: number): string {
  return SIZES.find(([most]) => changedLines <= most)?.[1] ?? LARGEST
}

/** The team of the first label that has one. */
export function chooseTeam(labels: readonly string[], teams: readonly Responsibility[], fallback: string): string {
  const responsible = labels.flatMap((each) => teams.find(({ label }) => label === each) ?? [])
  return responsible[0]?.team ?? fallback
}

/** Numbers of the issues that commit messages mention as `#12`, each once, at most `max`. */
export function mentionedIssues(messages: readonly string[], max: number): readonly number[] {
  const numbers = messages.flatMap((message) =>
    [...message.matchAll(/(?<![\w&/])#(\d{1,9})\b/g)].map(([, n]) => Number(n)),
  )
  return [...new Set(numbers)].filter((n) => n > 0).slice(0, max)
}
