import type { AuditActor } from "../audit/audit-entry.ts"
import type { CredentialRecord } from "../store/credentials.ts"
import type { Credential } from "./credential.ts"
import type { CredentialInput, CredentialListOptions, SecretInput } from "./credential-input.ts"
import type { Credentials } from "./credentials.ts"

/** One tenant's credentials. Every change and every use stands in the tenant's audit log, with `actor`. */
export interface TenantCredentials {
  /**
   * Stores a credential.
   *
   * @throws FleetPromptError `credential_invalid`, `credential_exists`
   * @example
   * const { id } = await tenant.credentials.create(
   *   { provider: "github", account: "octokit", kind: "api_key", secret: { token } },
   *   { kind: "user", id: "user_42", role: "admin" },
   * )
   */
  readonly create: (input: CredentialInput, actor: AuditActor) => Promise<CredentialRecord>
  /**
   * Gives it another secret: its version grows, and the old secret is gone.
   *
   * @throws FleetPromptError `credential_invalid`, `credential_unknown`, `credential_unusable` when it was revoked
   */
  readonly replace: (id: string, input: SecretInput, actor: AuditActor) => Promise<CredentialRecord>
  /** In the order in which they were stored, without their secrets, by pages. */
  readonly list: (options?: CredentialListOptions) => Promise<readonly CredentialRecord[]>
  /** One, without its secret, or undefined. */
  readonly get: (id: string) => Promise<CredentialRecord | undefined>
  /**
   * Ends it for good and erases its secret; every process feels it within two seconds. Safe to repeat.
   *
   * @throws FleetPromptError `credential_unknown`
   */
  readonly revoke: (id: string, actor: AuditActor) => Promise<CredentialRecord>
  /** Removes it with its record. @throws FleetPromptError `credential_unknown` */
  readonly remove: (id: string, actor: AuditActor) => Promise<CredentialRecord>
  /**
   * The credential with its secret, to be used now. What is revealed here is masked nowhere: in handlers use
   * `context.credentials.get(id)`.
   *
   * @throws FleetPromptError `credential_unknown`, `credential_unusable`, `secret_unreadable`, `key_unknown`
   */
  readonly use: (id: string, actor: AuditActor) => Promise<Credential>
}

/** The door to one tenant's credentials. */
export function openTenantCredentials(slug: string, credentials: () => Credentials): TenantCredentials {
  return {
    create: async (input, actor) => credentials().create(slug, input, actor),
    replace: async (id, input, actor) => credentials().replace(slug, id, input, actor),
    list: async (options = {}) => credentials().list(slug, options),
    get: async (id) => credentials().get(slug, id),
    revoke: async (id, actor) => credentials().revoke(slug, id, actor),
    remove: async (id, actor) => credentials().remove(slug, id, actor),
    use: async (id, actor) => credentials().use(slug, id, { actor }),
  }
}
