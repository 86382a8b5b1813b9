import { createReadStream } from "node:fs"
import { createInterface } from "node:readline"
import { FleetPromptError } from "../errors.ts"
import { isTime } from "../signal/time.ts"
import type { ChainPlace } from "./audit-chain.ts"

/**
 * The last row of an export up to which everything happened before a time; undefined when the first is later already.
 * Reads a file that was checked.
 *
 * @throws FleetPromptError `query_invalid` for what is no time
 */
export async function lastRowOf(file: string, before: string): Promise<ChainPlace | undefined> {
  if (!isTime(before))
    throw new FleetPromptError("query_invalid", "expected a time such as 2026-01-31T12:00:00Z, got something else")
  let last: ChainPlace | undefined
  let isFirst = true
  const input = createReadStream(file)
  for await (const line of createInterface({ input })) {
    if (!isFirst && line !== "") {
      // It was checked to be a row.
      const { position, hash, occurredAt } = JSON.parse(line) as ChainPlace & { readonly occurredAt: string }
      if (Date.parse(occurredAt) >= Date.parse(before)) break
      last = { position, hash }
    }
    isFirst = false
  }
  input.destroy()
  return last
}
