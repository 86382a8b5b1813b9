import { FleetPromptError } from "../../errors.ts"

/** A whole number from 1, for options that limit something. */
export function checkCount(path: string, value: number, max = Number.MAX_SAFE_INTEGER): number {
  if (Number.isInteger(value) && value >= 1 && value <= max) return value
  const range = max === Number.MAX_SAFE_INTEGER ? "from 1" : `from 1 to ${max}`
  throw new FleetPromptError("config_invalid", `expected a whole number ${range} as ${path}, got ${String(value)}`, {
    path,
  })
}
