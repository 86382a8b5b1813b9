import type { Queryable } from "./database.ts"
import type { MemberRole } from "./memberships.ts"

/** A person, who may be in several organisations. */
export interface UserRecord {
  readonly id: string
  /** In small letters. */
  readonly email: string
  readonly name: string
  /** disabled: is nobody, anywhere, until enabled. */
  readonly status: "active" | "disabled"
  /** One of the platform's own people. */
  readonly isOperator: boolean
  readonly createdAt: Date
}

/** By what a person is known at a sign-in. */
export interface Identity {
  /** Who says so: `password`, `google`, `saml:acme`. */
  readonly provider: string
  /** What it calls the person; never an email address, which may pass to somebody else. */
  readonly subject: string
}

const COLUMNS = `id, email, name, status, is_operator as "isOperator", created_at as "createdAt"`

/** Records a person; undefined when the address is somebody's. */
export async function insertUser(
  tx: Queryable,
  { id, email, name, isOperator }: Pick<UserRecord, "id" | "email" | "name" | "isOperator">,
): Promise<UserRecord | undefined> {
  const [row] = await tx.query<UserRecord>(
    `/* insertUser */ insert into fleetprompt.users (id, email, name, is_operator) values ($1::text::uuid, $2, $3, $4)
     on conflict do nothing returning ${COLUMNS}`,
    [id, email, name, isOperator],
  )
  return row
}

/** One person, or undefined. */
export async function selectUser(tx: Queryable, id: string): Promise<UserRecord | undefined> {
  const [row] = await tx.query<UserRecord>(
    `/* selectUser */ select ${COLUMNS} from fleetprompt.users where id = $1::text::uuid`,
    [id],
  )
  return row
}

/** As `selectUser`, locked until the transaction ends. */
export async function lockUser(tx: Queryable, id: string): Promise<UserRecord | undefined> {
  const [row] = await tx.query<UserRecord>(
    `/* lockUser */ select ${COLUMNS} from fleetprompt.users where id = $1::text::uuid for update`,
    [id],
  )
  return row
}

/** The person with an address, or undefined. */
export async function selectUserByEmail(tx: Queryable, email: string): Promise<UserRecord | undefined> {
  const [row] = await tx.query<UserRecord>(
    `/* selectUserByEmail */ select ${COLUMNS} from fleetprompt.users where email = $1`,
    [email],
  )
  return row
}

/** The person with an identity, or undefined. */
export async function selectUserOfIdentity(
  tx: Queryable,
  { provider, subject }: Identity,
): Promise<UserRecord | undefined> {
  const [row] = await tx.query<UserRecord>(
    `/* selectUserOfIdentity */ select ${COLUMNS} from fleetprompt.users
     where id = (select user_id from fleetprompt.identities where provider = $1 and subject = $2)`,
    [provider, subject],
  )
  return row
}

/** All people by the order of their ids, after one of them. */
export function selectUsers(tx: Queryable, after: string | undefined, limit: number): Promise<readonly UserRecord[]> {
  return tx.query<UserRecord>(
    `/* selectUsers */ select ${COLUMNS} from fleetprompt.users where ($1::text is null or id > $1::text::uuid)
     order by id limit $2::integer`,
    [after ?? null, limit],
  )
}

/** Whether anybody is known at all. */
export async function hasUsers(tx: Queryable): Promise<boolean> {
  const rows = await tx.query(`/* hasUsers */ select from fleetprompt.users limit 1`)
  return rows.length > 0
}

/** What of a person may change; what is left out stays. */
export type UserChange = Partial<Pick<UserRecord, "email" | "name" | "status" | "isOperator">>

/** Changes a person; undefined when nobody has this id. */
export async function updateUser(tx: Queryable, id: string, change: UserChange): Promise<UserRecord | undefined> {
  const { email, name, status, isOperator } = change
  const [row] = await tx.query<UserRecord>(
    `/* updateUser */ update fleetprompt.users set email = coalesce($2, email), name = coalesce($3, name),
       status = coalesce($4, status), is_operator = coalesce($5::boolean, is_operator)
     where id = $1::text::uuid returning ${COLUMNS}`,
    [id, email ?? null, name ?? null, status ?? null, isOperator ?? null],
  )
  return row
}

/** Removes a person, who must be in no organisation any more, with the identities. */
export async function deleteUser(tx: Queryable, id: string): Promise<void> {
  await tx.query(`/* deleteUser */ delete from fleetprompt.users where id = $1::text::uuid`, [id])
}

/** Links an identity to a person. @returns false when it is linked to somebody already. */
export async function insertIdentity(tx: Queryable, userId: string, identity: Identity): Promise<boolean> {
  const rows = await tx.query(
    `/* insertIdentity */ insert into fleetprompt.identities (provider, subject, user_id)
     values ($1, $2, $3::text::uuid) on conflict do nothing returning user_id`,
    [identity.provider, identity.subject, userId],
  )
  return rows.length > 0
}

/** A person's identities. */
export function selectIdentities(tx: Queryable, userId: string): Promise<readonly Identity[]> {
  return tx.query<Identity>(
    `/* selectIdentities */ select provider, subject from fleetprompt.identities where user_id = $1::text::uuid
     order by linked_at, provider, subject`,
    [userId],
  )
}

/** Unlinks an identity from its person. @returns whether it was linked. */
export async function deleteIdentity(tx: Queryable, userId: string, identity: Identity): Promise<boolean> {
  const rows = await tx.query(
    `/* deleteIdentity */ delete from fleetprompt.identities
     where provider = $1 and subject = $2 and user_id = $3::text::uuid returning user_id`,
    [identity.provider, identity.subject, userId],
  )
  return rows.length > 0
}

/** An organisation that a person is in. */
export interface OwnOrganisation {
  /** Slug of its tenant. */
  readonly tenant: string
  readonly name: string
  readonly role: MemberRole
  /** Whether it is the one that they chose last. */
  readonly isChosen: boolean
}

/** The organisations that a person is in, by slug. */
export function selectOrganisationsOf(tx: Queryable, userId: string): Promise<readonly OwnOrganisation[]> {
  return tx.query<OwnOrganisation>(
    `/* selectOrganisationsOf */ select tenant, organisation.name, membership.role,
       person.chosen_tenant is not distinct from tenant as "isChosen"
     from fleetprompt.memberships as membership
     join fleetprompt.organisations as organisation using (tenant)
     join fleetprompt.users as person on person.id = membership.user_id
     where membership.user_id = $1::text::uuid order by tenant`,
    [userId],
  )
}

/** Locks the organisations that a person is in until the transaction ends, so that their people do not change meanwhile. */
export async function lockOrganisationsOf(tx: Queryable, userId: string): Promise<void> {
  await tx.query(
    `/* lockOrganisationsOf */ select tenant from fleetprompt.organisations
     where tenant in (select tenant from fleetprompt.memberships where user_id = $1::text::uuid)
     order by tenant for update`,
    [userId],
  )
}

/** Remembers which organisation a person chose; null: none. */
export async function updateChosenTenant(tx: Queryable, userId: string, tenant: string | null): Promise<void> {
  await tx.query(`/* updateChosenTenant */ update fleetprompt.users set chosen_tenant = $2 where id = $1::text::uuid`, [
    userId,
    tenant,
  ])
}

/** What a person is at this moment. */
export interface Standing {
  readonly isOperator: boolean
  /** The organisation they chose last; they may not be in it any more. */
  readonly chosen: string | null
  /** The organisation they are in: the wanted one, else the chosen one, else their only one. */
  readonly membership: { readonly tenant: string; readonly role: MemberRole } | null
}

interface StandingRow {
  readonly isOperator: boolean
  readonly chosen: string | null
  readonly tenant: string | null
  readonly role: MemberRole | null
  readonly memberships: number
}

/**
 * What an active person is, by one statement, since each request asks; undefined when nobody active has this id.
 *
 * @param wanted slug of the tenant that they want to work in.
 */
export async function selectStanding(
  tx: Queryable,
  userId: string,
  wanted: string | undefined,
): Promise<Standing | undefined> {
  // Two of them say whether there is one only, which then needs no choice.
  const [row] = await tx.query<StandingRow>(
    `/* selectStanding */ select person.is_operator as "isOperator", person.chosen_tenant as chosen,
       membership.tenant, membership.role, count(*) over ()::integer as memberships
     from fleetprompt.users as person left join lateral (
       select tenant, role from fleetprompt.memberships
       where user_id = person.id and ($2::text is null or tenant = $2)
       order by tenant is not distinct from person.chosen_tenant desc limit 2
     ) as membership on true
     where person.id = $1::text::uuid and person.status = 'active'
     order by membership.tenant is not distinct from person.chosen_tenant desc`,
    [userId, wanted ?? null],
  )
  if (!row) return undefined
  const { isOperator, chosen, tenant, role, memberships } = row
  const isOne = tenant !== null && role !== null && (memberships === 1 || tenant === chosen)
  return { isOperator, chosen, membership: isOne ? { tenant, role } : null }
}
