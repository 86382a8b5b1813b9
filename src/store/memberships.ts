import type { Queryable } from "./database.ts"
import type { TenantScope } from "./tenant-scope.ts"

/** What a person may be in an organisation. */
export type MemberRole = "owner" | "admin" | "member"

/** A person in one organisation. */
export interface MemberRecord {
  readonly userId: string
  readonly email: string
  readonly name: string
  readonly role: MemberRole
  /** disabled: may do nothing, anywhere. */
  readonly status: "active" | "disabled"
  readonly joinedAt: Date
}

const MEMBERS = `select membership.user_id as "userId", person.email, person.name, membership.role, person.status,
    membership.joined_at as "joinedAt"
  from fleetprompt.memberships as membership join fleetprompt.users as person on person.id = membership.user_id
  where membership.tenant = $1`

/** Makes a person a member. @returns false when they are one already, who stay what they are. */
export async function insertMembership(
  tx: Queryable,
  scope: TenantScope,
  userId: string,
  role: MemberRole,
): Promise<boolean> {
  const rows = await tx.query(
    `/* insertMembership */ insert into fleetprompt.memberships (tenant, user_id, role)
     values ($1, $2::text::uuid, $3) on conflict do nothing returning user_id`,
    [scope.slug, userId, role],
  )
  return rows.length > 0
}

/** A tenant's members by the order of their ids, after one of them. */
export function selectMembers(
  tx: Queryable,
  scope: TenantScope,
  after: string | undefined,
  limit: number,
): Promise<readonly MemberRecord[]> {
  return tx.query<MemberRecord>(
    `/* selectMembers */ ${MEMBERS} and ($2::text is null or membership.user_id > $2::text::uuid)
     order by membership.user_id limit $3::integer`,
    [scope.slug, after ?? null, limit],
  )
}

/** One member, or undefined. */
export async function selectMember(
  tx: Queryable,
  scope: TenantScope,
  userId: string,
): Promise<MemberRecord | undefined> {
  const [row] = await tx.query<MemberRecord>(`/* selectMember */ ${MEMBERS} and membership.user_id = $2::text::uuid`, [
    scope.slug,
    userId,
  ])
  return row
}

/** The member with this address, or undefined. */
export async function selectMemberByEmail(
  tx: Queryable,
  scope: TenantScope,
  email: string,
): Promise<MemberRecord | undefined> {
  const [row] = await tx.query<MemberRecord>(`/* selectMemberByEmail */ ${MEMBERS} and person.email = $2`, [
    scope.slug,
    email,
  ])
  return row
}

/** How many owners who are not disabled a tenant has besides one person. */
export async function countOtherOwners(tx: Queryable, scope: TenantScope, userId: string): Promise<number> {
  const [row] = await tx.query<{ readonly count: number }>(
    `/* countOtherOwners */ select count(*)::integer as count
     from fleetprompt.memberships as membership join fleetprompt.users as person on person.id = membership.user_id
     where membership.tenant = $1 and membership.user_id <> $2::text::uuid and membership.role = 'owner'
       and person.status = 'active'`,
    [scope.slug, userId],
  )
  return row?.count ?? 0
}

/** Gives a member another role. */
export async function updateMembership(
  tx: Queryable,
  scope: TenantScope,
  userId: string,
  role: MemberRole,
): Promise<void> {
  await tx.query(
    `/* updateMembership */ update fleetprompt.memberships set role = $3 where tenant = $1 and user_id = $2::text::uuid`,
    [scope.slug, userId, role],
  )
}

/** Ends a membership. */
export async function deleteMembership(tx: Queryable, scope: TenantScope, userId: string): Promise<void> {
  await tx.query(
    `/* deleteMembership */ delete from fleetprompt.memberships where tenant = $1 and user_id = $2::text::uuid`,
    [scope.slug, userId],
  )
}
