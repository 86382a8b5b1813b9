import type { Figures } from "./scenario.ts"

/** A section of a report with a heading; none without lines. */
export function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ["", `## ${title}`, "", ...lines]
}

/** A table in Markdown, line by line. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.map(cellText).join(" | ")} |`)
}

function cellText(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ")
}

/** A figure for people: numbers with separators, nothing for null. */
export function figureText(value: Figures[string] | undefined): string {
  return typeof value === "number" ? value.toLocaleString("en-US") : String(value ?? "")
}
