/**
 * Who may do what, written down a second time and by hand, so that a slip in src/access/policies.ts is seen.
 *
 * y: may; -: may not; own: only with what is their own. machine: whether a key or service account of such a role may.
 */
const TABLE = `
                            member  admin  owner  operator  machine
signals:read                y       y      y      y         y
signals:read_admin_only     -       y      y      y         y
signals:emit                y       y      y      -         y
deliveries:read             y       y      y      y         y
dead_letters:read           y       y      y      y         y
dead_letters:redrive        -       y      y      y         y
dead_letters:discard        -       y      y      y         y
replays:read                y       y      y      y         y
replays:start               -       y      y      y         y
replays:control             -       y      y      y         y
pauses:read                 y       y      y      y         y
pauses:pause                -       y      y      y         y
pauses:resume               -       y      y      y         y
schedules:read              y       y      y      y         y
schedules:control           -       -      -      y         y
directives:read             y       y      y      y         y
directives:request          y       y      y      -         y
directives:confirm          -       y      y      -         -
directives:cancel           own     y      y      -         y
packages:read               y       y      y      y         y
packages:publish            -       -      -      y         y
packages:roll_out           -       -      -      y         y
reviews:write               -       y      y      -         y
installations:read          y       y      y      y         y
installations:create        -       y      y      -         y
installations:change        -       y      y      -         y
installations:remove        -       y      y      -         y
installations:execute       y       y      y      -         y
organisations:read          y       y      y      y         y
organisations:change        -       y      y      -         -
members:read                y       y      y      y         y
members:add                 -       y      y      -         -
members:change_role         -       y      y      -         -
members:remove              own     y      y      -         -
invitations:read            -       y      y      y         y
invitations:create          -       y      y      y         -
invitations:resend          -       y      y      y         -
invitations:revoke          -       y      y      y         -
api_keys:read               own     y      y      -         y
api_keys:create             own     y      y      -         y
api_keys:rotate             own     y      y      -         y
api_keys:revoke             own     y      y      y         y
service_accounts:read       -       y      y      -         y
service_accounts:create     -       y      y      -         y
service_accounts:change     -       y      y      -         y
service_accounts:remove     -       y      y      -         y
credentials:read            -       y      y      -         y
credentials:create          -       y      y      -         y
credentials:replace         -       y      y      -         y
credentials:revoke          -       y      y      -         y
credentials:remove          -       y      y      -         y
audit_log:read              -       y      y      y         y
audit_log:verify            -       y      y      y         y
audit_log:export            -       -      y      y         y
audit_log:prune             -       -      -      y         -
tenants:read                y       y      y      y         y
tenants:list                -       -      -      y         y
tenants:provision           -       -      -      y         y
tenants:suspend             -       -      -      y         y
tenants:resume              -       -      -      y         y
tenants:export              -       -      y      y         -
tenants:import              -       -      -      y         y
tenants:delete              -       -      y      y         -
tenants:undelete            -       -      y      y         -
tenants:move                -       -      -      y         y
tenants:migrate             -       -      -      y         y
tenants:repair              -       -      -      y         y
tenants:change_class        -       -      -      y         y
settings:read               -       y      y      y         y
settings:change             -       y      y      -         y
sessions:read               own     own    own    own       -
sessions:revoke             own     own    own    own       -
health:read                 y       y      y      y         y
`

/** What a role may do, see the table. */
type Entry = "y" | "-" | "own"

/** One row of the table. */
export interface PolicyRow {
  readonly permission: string
  readonly roles: Readonly<Record<"member" | "admin" | "owner" | "operator", Entry>>
  /** Whether a key or service account may, when its role may. */
  readonly machine: boolean
}

/** The table's rows. */
export const policyTable: readonly PolicyRow[] = TABLE.trim()
  .split("\n")
  .slice(1)
  .map((line) => {
    // The table has nothing else in these places, as a test of it says.
    const [permission, member, admin, owner, operator, machine] = line.split(/\s+/) as [string, ...Entry[]]
    const roles = { member: member ?? "-", admin: admin ?? "-", owner: owner ?? "-", operator: operator ?? "-" }
    return { permission, roles, machine: machine === "y" }
  })
