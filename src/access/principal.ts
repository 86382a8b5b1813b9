/** A role of a person or key in a tenant; `operator` is the platform's own, in every tenant. */
export type Role = "owner" | "admin" | "member" | "operator"

/** Who is calling, as it was found out from a session, key or token. Never from what the request says of itself. */
export interface Principal {
  /** `host`: a person of the host application. */
  readonly kind: "user" | "api_key" | "service_account" | "operator" | "host"
  /** Of the user, key or account. */
  readonly id: string
  /** Slug of the tenant that this caller works on; `*` for one who has chosen none. */
  readonly tenant: string
  readonly role: Role
  /** Id of the API key that was shown, where one was. */
  readonly key?: string
  /** What a key is limited to, `resource:action`; undefined: whatever the role may. */
  readonly scopes?: readonly string[]
}
