import { auditKeySource } from "../audit/audit-key-source.ts"
import type { AuditKeys } from "../audit/chain-writer.ts"
import { KeyRing } from "../credentials/key-ring.ts"
import type { Database } from "../store/database.ts"
import type { Telemetry } from "../telemetry/telemetry.ts"
import { type Callers, createCallers } from "./callers.ts"
import { keysOf } from "./key-options.ts"
import type { FleetOptions } from "./options.ts"

/** What all databases of a fleet have in common; the first one keeps it. */
export interface SharedParts {
  /** What secrets are sealed by, and what keys of single purposes are derived from. */
  readonly keyRing: KeyRing
  readonly auditKeys: () => Promise<AuditKeys>
  readonly callers: Callers
}

/** Makes what all databases of a fleet have in common, on the first one. */
export function createSharedParts(
  database: Database,
  options: FleetOptions,
  telemetry: Pick<Telemetry, "tell">,
): SharedParts {
  const keyRing = new KeyRing(database, keysOf(options))
  return {
    keyRing,
    auditKeys: auditKeySource(options.audit ?? {}, async () =>
      keyRing.isThere ? keyRing.derive("audit_head") : undefined,
    ),
    callers: createCallers(database.hot, telemetry, options.apiKeys ?? {}, () => keyRing.derive("api_keys")),
  }
}
