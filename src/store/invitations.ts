import type { Queryable } from "./database.ts"
import type { MemberRole } from "./memberships.ts"
import type { TenantScope } from "./tenant-scope.ts"

/** Somebody is asked to join an organisation. */
export interface InvitationRecord {
  readonly id: string
  readonly email: string
  /** What they will be. */
  readonly role: MemberRole
  /** Who asked, `kind:id`. */
  readonly invitedBy: string
  /** open: may be accepted; expired: might be sent again. */
  readonly status: "open" | "expired" | "accepted" | "revoked"
  /** How often a token was made for it. */
  readonly sends: number
  readonly createdAt: Date
  readonly expiresAt: Date
}

/** An invitation to be recorded. */
export interface NewInvitation extends Pick<InvitationRecord, "id" | "email" | "role" | "invitedBy"> {
  readonly tokenHash: string
  readonly livesMs: number
}

const COLUMNS = `id, email, role, invited_by as "invitedBy",
  case when accepted_at is not null then 'accepted' when revoked_at is not null then 'revoked'
    when expires_at <= now() then 'expired' else 'open' end as status,
  sends, created_at as "createdAt", expires_at as "expiresAt"`

const IS_OPEN = "accepted_at is null and revoked_at is null"

/** Records an invitation. The address must have no open one. */
export async function insertInvitation(
  tx: Queryable,
  scope: TenantScope,
  { id, email, role, tokenHash, invitedBy, livesMs }: NewInvitation,
): Promise<InvitationRecord> {
  const rows = await tx.query<InvitationRecord>(
    `/* insertInvitation */ insert into fleetprompt.invitations
       (tenant, id, email, role, token_hash, invited_by, lives_ms, expires_at)
     values ($1, $2::text::uuid, $3, $4, $5, $6, $7::bigint, now() + $7::bigint * interval '1 millisecond')
     returning ${COLUMNS}`,
    [scope.slug, id, email, role, tokenHash, invitedBy, livesMs],
  )
  // The statement answers with its one row, or throws.
  return rows[0] as InvitationRecord
}

/** How many invitations of a tenant may be accepted or sent again. */
export async function countOpenInvitations(tx: Queryable, scope: TenantScope): Promise<number> {
  const [row] = await tx.query<{ readonly count: number }>(
    `/* countOpenInvitations */ select count(*)::integer as count from fleetprompt.invitations
     where tenant = $1 and ${IS_OPEN}`,
    [scope.slug],
  )
  return row?.count ?? 0
}

/** A tenant's invitations, the latest first, made before one of them. */
export function selectInvitations(
  tx: Queryable,
  scope: TenantScope,
  before: string | undefined,
  limit: number,
): Promise<readonly InvitationRecord[]> {
  return tx.query<InvitationRecord>(
    `/* selectInvitations */ select ${COLUMNS} from fleetprompt.invitations as invitation
     where tenant = $1 and ($2::text is null or (created_at, id) <
       (select created_at, id from fleetprompt.invitations where tenant = $1 and id = $2::text::uuid))
     order by invitation.created_at desc, invitation.id desc limit $3::integer`,
    [scope.slug, before ?? null, limit],
  )
}

/** One invitation, locked until the transaction ends, or undefined. */
export async function lockInvitation(
  tx: Queryable,
  scope: TenantScope,
  id: string,
): Promise<InvitationRecord | undefined> {
  const [row] = await tx.query<InvitationRecord>(
    `/* lockInvitation */ select ${COLUMNS} from fleetprompt.invitations
     where tenant = $1 and id = $2::text::uuid for update`,
    [scope.slug, id],
  )
  return row
}

/** The invitation of an address that may be accepted or sent again, locked until the transaction ends. */
export async function lockOpenInvitationOf(
  tx: Queryable,
  scope: TenantScope,
  email: string,
): Promise<InvitationRecord | undefined> {
  const [row] = await tx.query<InvitationRecord>(
    `/* lockOpenInvitationOf */ select ${COLUMNS} from fleetprompt.invitations
     where tenant = $1 and email = $2 and ${IS_OPEN} for update`,
    [scope.slug, email],
  )
  return row
}

/** The invitation of a token while it may be accepted, locked until the transaction ends. */
export async function lockInvitationOfToken(
  tx: Queryable,
  scope: TenantScope,
  id: string,
  tokenHash: string,
): Promise<InvitationRecord | undefined> {
  const [row] = await tx.query<InvitationRecord>(
    `/* lockInvitationOfToken */ select ${COLUMNS} from fleetprompt.invitations
     where tenant = $1 and id = $2::text::uuid and token_hash = $3 and ${IS_OPEN} and expires_at > now() for update`,
    [scope.slug, id, tokenHash],
  )
  return row
}

/** Gives an invitation another token and as much time as at first; the one before opens nothing any more. */
export async function renewInvitation(
  tx: Queryable,
  scope: TenantScope,
  id: string,
  tokenHash: string,
): Promise<InvitationRecord> {
  const rows = await tx.query<InvitationRecord>(
    `/* renewInvitation */ update fleetprompt.invitations
     set token_hash = $3, sends = sends + 1, expires_at = now() + lives_ms * interval '1 millisecond'
     where tenant = $1 and id = $2::text::uuid returning ${COLUMNS}`,
    [scope.slug, id, tokenHash],
  )
  // The caller holds the row.
  return rows[0] as InvitationRecord
}

/** Notes that an invitation was accepted. */
export async function acceptInvitation(tx: Queryable, scope: TenantScope, id: string, userId: string): Promise<void> {
  await tx.query(
    `/* acceptInvitation */ update fleetprompt.invitations set accepted_at = now(), accepted_by = $3::text::uuid
     where tenant = $1 and id = $2::text::uuid`,
    [scope.slug, id, userId],
  )
}

/** Removes invitations whose time ended long ago, whatever became of them: the audit log has what they did. */
export async function deleteOldInvitations(tx: Queryable, scope: TenantScope, olderThanMs: number): Promise<void> {
  await tx.query(
    `/* deleteOldInvitations */ delete from fleetprompt.invitations
     where tenant = $1 and expires_at < now() - $2::float8 * interval '1 millisecond'`,
    [scope.slug, olderThanMs],
  )
}

/** Takes an invitation back. */
export async function revokeInvitation(tx: Queryable, scope: TenantScope, id: string): Promise<void> {
  await tx.query(
    `/* revokeInvitation */ update fleetprompt.invitations set revoked_at = now()
     where tenant = $1 and id = $2::text::uuid and ${IS_OPEN}`,
    [scope.slug, id],
  )
}
