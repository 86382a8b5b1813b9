import { compilePattern } from "../signal/pattern.ts"

const SEGMENT: Readonly<Record<string, string>> = { "*": "[^.]+\\.", "**": "([^.]+\\.)*" }

/**
 * A pattern as a regular expression of Postgres over a type with a dot after it, so that each segment
 * reads the same.
 *
 * @throws FleetPromptError `pattern_invalid`
 * @example
 * typeExpression("github.**") // "^github\\.([^.]+\\.)*$"
 */
export function typeExpression(pattern: string): string {
  const segments = compilePattern(pattern).pattern.split(".")
  return `^${segments.map((segment) => SEGMENT[segment] ?? `${segment}\\.`).join("")}$`
}
