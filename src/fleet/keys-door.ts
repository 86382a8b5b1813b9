import type { AuditActor } from "../audit/audit-entry.ts"
import type { KeyPurpose, KeyRing } from "../credentials/key-ring.ts"
import { type KeyStatus, readKeyStatus } from "../credentials/key-status.ts"
import { removeKey, rotateKeys, type RotationOptions, type RotationReport } from "../credentials/rotation.ts"
import type { Database } from "../store/database.ts"

/** The key ring of a fleet, for those who look after it. */
export interface FleetKeys {
  /**
   * A key of 32 bytes for one purpose, the same in every process and after each rotation.
   *
   * @throws FleetPromptError `config_invalid`, `key_unknown`, `secret_unreadable`
   */
  readonly derive: (purpose: KeyPurpose) => Promise<Uint8Array>
  /** Which keys there are and what each seals; counted by reading every tenant. */
  readonly status: () => Promise<KeyStatus>
  /**
   * Seals everything by the current key; a key file gets a new one first, when all is sealed by its current one. Cut
   * short, it goes on when it is called again.
   *
   * @throws FleetPromptError `config_invalid`, `key_unknown`, `secret_unreadable`
   * @example
   * const { rewrapped, unreadable } = await fleet.keys.rotate({ actor: { kind: "operator", id: "ada" } })
   */
  readonly rotate: (options: RotationOptions) => Promise<RotationReport>
  /** Takes a key that seals nothing any more out of the key file. @throws FleetPromptError `key_in_use`, `key_unknown`, `config_invalid` */
  readonly remove: (keyId: string, actor: AuditActor) => Promise<void>
}

/** What the door needs of a running fleet. */
interface KeyDeps {
  readonly database: Database
  readonly keyRing: KeyRing
  /** All databases of the fleet. */
  readonly databases: () => readonly Database[]
}

/** The door to a fleet's key ring. */
export function openKeys(running: () => KeyDeps): FleetKeys {
  const deps = () => {
    const { database, keyRing: ring, databases } = running()
    return { database, ring, databases: databases() }
  }
  return {
    derive: async (purpose) => running().keyRing.derive(purpose),
    status: async () => readKeyStatus(deps()),
    rotate: async (options) => rotateKeys(deps(), options),
    remove: async (keyId, actor) => removeKey(deps(), keyId, actor),
  }
}
