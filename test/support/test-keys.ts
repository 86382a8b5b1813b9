import { createHash } from "node:crypto"
import type { ApiKeyPepper } from "../../src/access/api-key-text.ts"
import type { FleetOptions } from "../../src/fleet/options.ts"

/** A pepper for tests, the same for the same id. */
export function testPepper(id = "test"): ApiKeyPepper {
  return { id, secret: createHash("sha256").update(`pepper ${id}`).digest() }
}

/** Options of a fleet whose API keys need no key ring. */
export function withTestKeys(...ids: readonly string[]): Pick<FleetOptions, "apiKeys"> {
  return { apiKeys: { environment: "test", peppers: (ids.length > 0 ? ids : ["test"]).map(testPepper) } }
}
