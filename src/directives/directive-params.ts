import { createHash } from "node:crypto"
import canonicalize from "canonicalize"
import { FleetPromptError } from "../errors.ts"
import { redactValue } from "../guard/redact.ts"
import { describeIssues } from "../signal/data-issues.ts"
import { copyJson, type JsonValue } from "../signal/json.ts"
import type { Directive } from "./directive.ts"

/** Longest params, plan, and result of a run or a step, bytes of JSON. */
const MAX_BYTES = 1_048_576

/**
 * What a directive's schema makes of params.
 *
 * @throws FleetPromptError `directive_params_invalid`
 */
export async function checkParams({ type, params }: Directive, given: unknown): Promise<unknown> {
  const result = await params["~standard"].validate(given)
  if (!result.issues) return result.value
  const { text, path } = describeIssues("params", given, result.issues)
  throw new FleetPromptError("directive_params_invalid", `expected params that fit "${type}", got: ${text}`, { path })
}

/**
 * Params, or a plan, as they are stored.
 *
 * @throws FleetPromptError `data_not_json`, `data_too_deep`, `data_too_large`, `secret_refused`
 */
export function storableInput(value: unknown, name: string): JsonValue {
  const copy = storable(value, name)
  if (JSON.stringify(redactValue(copy)) === JSON.stringify(copy)) return copy
  throw new FleetPromptError(
    "secret_refused",
    `refused to store what looks like a secret in ${name}, directives are kept and shown; store a credential and give its id instead`,
    { path: name },
  )
}

/**
 * A value as JSON that the database keeps.
 *
 * @throws FleetPromptError `data_not_json`, `data_too_deep`, `data_too_large`
 */
export function storable(value: unknown, name: string): JsonValue {
  const copy = copyJson(value ?? null, name)
  const bytes = Buffer.byteLength(JSON.stringify(copy))
  if (bytes <= MAX_BYTES) return copy
  throw new FleetPromptError(
    "data_too_large",
    `expected at most ${MAX_BYTES} bytes of JSON as ${name}, got ${bytes}; store it elsewhere and keep its address`,
    { path: name },
  )
}

/**
 * SHA-256 of params as canonical JSON, hex, so that the order of keys and the way a number is written make no difference.
 *
 * @example
 * checksumOf({ a: 1, b: 2 }) === checksumOf({ b: 2, a: 1 }) // true
 */
export function checksumOf(params: JsonValue): string {
  return createHash("sha256")
    .update(canonicalize(params) ?? "null")
    .digest("hex")
}
