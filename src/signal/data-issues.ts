import { FleetPromptError } from "../errors.ts"
import { pathOf } from "./json.ts"
import type { StandardIssue } from "./standard-schema.ts"

/** Most issues that a message tells of; it says how many more there are. */
const MAX_LISTED = 10
/** Longest text of one issue, and longest path, UTF-16 units. */
const MAX_TEXT = 200
/** Most parts of the data that are compared with an issue's text; of larger data no such text is shown. */
const MAX_PARTS = 1_000
/** A validator may cut a value short in its text, so this much of its beginning counts as the value. */
const TELLING_LENGTH = 8

/**
 * The error for data that does not fit the schema of a signal's type. A validator may write the value
 * into the text of an issue; such a text is left out.
 */
export function dataInvalid(type: string, data: unknown, issues: readonly StandardIssue[]): FleetPromptError {
  const { text, path } = describeIssues("data", data, issues)
  return new FleetPromptError("data_invalid", `expected data that fits the schema of "${type}", got: ${text}`, { path })
}

/**
 * What is wrong with a value, and where the first fault is.
 *
 * @param root what the value is called.
 */
export function describeIssues(
  root: string,
  value: unknown,
  issues: readonly StandardIssue[],
): { readonly text: string; readonly path: string } {
  const values = valuesOf(value)
  const listed = issues.slice(0, MAX_LISTED).map((issue) => describeIssue(root, issue, values))
  const more = issues.length > MAX_LISTED ? [`and ${issues.length - MAX_LISTED} more`] : []
  return { text: [...listed, ...more].join("; "), path: pathOfIssue(root, issues[0]) }
}

function describeIssue(root: string, issue: StandardIssue, values: readonly string[] | undefined): string {
  const path = pathOfIssue(root, issue)
  const isTelling = !values || values.some((value) => issue.message.includes(value))
  return isTelling ? `${path} does not fit` : `${path}: ${cut(issue.message)}`
}

function pathOfIssue(root: string, issue: StandardIssue | undefined): string {
  const keys = (issue?.path ?? []).map((part) => (typeof part === "object" ? part.key : part))
  return cut(
    keys.reduce<string>((path, key) => (typeof key === "number" ? `${path}[${key}]` : pathOf(path, String(key))), root),
  )
}

function cut(text: string): string {
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT - 3)}...`
}

/** The beginnings of all texts and numbers in the data, as they would stand in a message; undefined when there are too many. */
function valuesOf(data: unknown): readonly string[] | undefined {
  const values: string[] = []
  const parts: unknown[] = [data]
  for (let part = 0; part < parts.length; part++) {
    if (parts.length > MAX_PARTS) return undefined
    const value = parts[part]
    if (typeof value === "object" && value !== null) for (const item of Object.values(value)) parts.push(item)
    else if (value !== "" && value != null && typeof value !== "boolean") values.push(...spellings(String(value)))
  }
  return values
}

function spellings(value: string): readonly string[] {
  const start = value.slice(0, TELLING_LENGTH)
  return [start, JSON.stringify(start).slice(1, -1)]
}
