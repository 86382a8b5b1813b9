import type { JsonValue } from "fleetprompt"
import type { FakeSystem } from "./fake-server.ts"

const KNOWN: Readonly<Record<string, JsonValue>> = {
  "/zillow": { estimate: 905_000, beds: 3 },
  "/realtor": { listed_days: 12, price: 890_000 },
  "/public_records": { owner_since: 2004, lot_sqft: 2_500 },
  "/tax_records": { assessed: 610_000, year: 2025 },
  "/permits": { open: 1, last: "roof" },
}
/** Those that ask for a token. */
const PRIVATE = new Set(["/zillow", "/realtor"])

/** Plays five sources that know something about each house, at five paths. */
export function fakeProperty(token: string): FakeSystem {
  return {
    name: "property",
    answer: ({ path, query, token: given }) => {
      const known = KNOWN[path]
      if (known === undefined) return undefined
      if (PRIVATE.has(path) && given !== token) return { status: 401, body: { error: "unauthorized" } }
      return { body: { address: query["address"] ?? "", facts: known } }
    },
  }
}
