import type { Role } from "./principal.ts"

/** Who may do one thing. */
export interface Policy {
  /** Roles that may do it to anything of their tenant. */
  readonly roles: readonly Role[]
  /** Roles that may do it to what belongs to themselves, besides `roles`. */
  readonly own?: readonly Role[]
  /** Only a person may do it: no API key and no service account, whatever its role and scopes. */
  readonly people?: true
}

const everyone = ["operator", "owner", "admin", "member"] as const
const members = ["owner", "admin", "member"] as const
const managers = ["owner", "admin"] as const
const managersAndOperator = ["operator", "owner", "admin"] as const
const ownerAndOperator = ["operator", "owner"] as const
const operator = ["operator"] as const

/**
 * Who may do what, all of it: one row for each thing that can be done, `resource:action`. A scope of an API key
 * has the same form. `docs/reference/policies.md` is made from this table, and a test keeps them equal. What has no
 * row here nobody may do.
 *
 * The operator sees and mends, and each such act is kept in the tenant's audit log; it emits nothing in a tenant's
 * name and reaches no credential.
 */
export const policies = {
  "signals:read": { roles: everyone },
  "signals:read_admin_only": { roles: managersAndOperator },
  "signals:emit": { roles: members },
  "deliveries:read": { roles: everyone },
  "dead_letters:read": { roles: everyone },
  "dead_letters:redrive": { roles: managersAndOperator },
  "dead_letters:discard": { roles: managersAndOperator },
  "replays:read": { roles: everyone },
  "replays:start": { roles: managersAndOperator },
  "replays:control": { roles: managersAndOperator },
  "pauses:read": { roles: everyone },
  "pauses:pause": { roles: managersAndOperator },
  "pauses:resume": { roles: managersAndOperator },
  "schedules:read": { roles: everyone },
  // A schedule is the whole fleet's, not one tenant's.
  "schedules:control": { roles: operator },
  "directives:read": { roles: everyone },
  "directives:request": { roles: members },
  // Four eyes are people's: a key of the one who asks would be the same two.
  "directives:confirm": { roles: managers, people: true },
  "directives:cancel": { roles: managers, own: members },
  "packages:read": { roles: everyone },
  "packages:publish": { roles: operator },
  // What tenants have installed is theirs; the platform may bring it up to date.
  "packages:roll_out": { roles: operator },
  "reviews:write": { roles: managers },
  "installations:read": { roles: everyone },
  "installations:create": { roles: managers },
  "installations:change": { roles: managers },
  "installations:remove": { roles: managers },
  "installations:execute": { roles: members },
  "organisations:read": { roles: everyone },
  "organisations:change": { roles: managers, people: true },
  "members:read": { roles: everyone },
  "members:add": { roles: managers, people: true },
  "members:change_role": { roles: managers, people: true },
  "members:remove": { roles: managers, own: members, people: true },
  "invitations:read": { roles: managersAndOperator },
  // The operator may invite too: somebody must help a tenant whose only owner is gone.
  "invitations:create": { roles: managersAndOperator, people: true },
  "invitations:resend": { roles: managersAndOperator, people: true },
  "invitations:revoke": { roles: managersAndOperator, people: true },
  "api_keys:read": { roles: managers, own: members },
  "api_keys:create": { roles: managers, own: members },
  "api_keys:rotate": { roles: managers, own: members },
  "api_keys:revoke": { roles: managersAndOperator, own: members },
  "service_accounts:read": { roles: managers },
  "service_accounts:create": { roles: managers },
  "service_accounts:change": { roles: managers },
  "service_accounts:remove": { roles: managers },
  "credentials:read": { roles: managers },
  "credentials:create": { roles: managers },
  "credentials:replace": { roles: managers },
  "credentials:revoke": { roles: managers },
  "credentials:remove": { roles: managers },
  "audit_log:read": { roles: managersAndOperator },
  "audit_log:verify": { roles: managersAndOperator },
  "audit_log:export": { roles: ownerAndOperator },
  "audit_log:prune": { roles: operator, people: true },
  "tenants:read": { roles: everyone },
  "tenants:list": { roles: operator },
  "tenants:provision": { roles: operator },
  "tenants:suspend": { roles: operator },
  "tenants:resume": { roles: operator },
  "tenants:export": { roles: ownerAndOperator, people: true },
  "tenants:import": { roles: operator },
  "tenants:delete": { roles: ownerAndOperator, people: true },
  "tenants:undelete": { roles: ownerAndOperator, people: true },
  "tenants:move": { roles: operator },
  "tenants:migrate": { roles: operator },
  "tenants:repair": { roles: operator },
  "tenants:change_class": { roles: operator },
  "settings:read": { roles: managersAndOperator },
  "settings:change": { roles: managers },
  "sessions:read": { roles: [], own: everyone, people: true },
  "sessions:revoke": { roles: [], own: everyone, people: true },
  "health:read": { roles: everyone },
} as const satisfies Readonly<Record<`${string}:${string}`, Policy>>

/** Something that can be done to something: `signals:read`. A key of the table of policies. */
export type Permission = keyof typeof policies

/** All that can be done, in the order of the table. */
// The keys of an object literal are those of its type.
export const permissions: readonly Permission[] = Object.keys(policies) as Permission[]

/** Whether a text is a row of the table. */
export function isPermission(text: string): text is Permission {
  return Object.hasOwn(policies, text)
}
