import type { Visibility } from "../signal/stored-signal.ts"

/** Who is calling, as the host application found out from a session or key. Never from what the request says of itself. */
export interface Principal {
  /** Slug of the tenant whose signals this caller works on. */
  readonly tenant: string
  readonly role: "owner" | "admin" | "member"
}

/** Finds out who is calling; undefined when nobody known is. */
export type Authenticate = (request: Request) => Principal | undefined | Promise<Principal | undefined>

/** What a role may read. */
export function visibleTo({ role }: Principal): readonly Visibility[] {
  return role === "member" ? ["internal"] : ["internal", "admin_only"]
}
