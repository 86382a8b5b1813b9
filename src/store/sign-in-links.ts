import type { Queryable } from "./database.ts"

/** What a link that is good once is for. */
export type LinkKind = "first_owner" | "sign_up"

/** Keeps the hash of a link's token. */
export async function insertLink(
  tx: Queryable,
  link: {
    readonly tokenHash: Buffer
    readonly kind: LinkKind
    readonly email: string | null
    readonly livesMs: number
  },
): Promise<void> {
  await tx.query(
    `/* insertLink */ insert into fleetprompt_auth.links (token_hash, kind, email, expires_at)
     values (decode($1, 'hex'), $2, $3, now() + make_interval(secs => $4::float8 / 1000))`,
    [link.tokenHash.toString("hex"), link.kind, link.email, link.livesMs],
  )
}

/** The link of a token while it may be used. */
export async function selectLink(
  tx: Queryable,
  tokenHash: Buffer,
  kind: LinkKind,
): Promise<{ readonly email: string | null } | undefined> {
  const [row] = await tx.query<{ readonly email: string | null }>(
    `/* selectLink */ select email from fleetprompt_auth.links
     where token_hash = decode($1, 'hex') and kind = $2 and used_at is null and expires_at > now()`,
    [tokenHash.toString("hex"), kind],
  )
  return row
}

/** Takes a link, so that nobody else can. False: it was used, has ended or never was. */
export async function takeLink(tx: Queryable, tokenHash: Buffer, kind: LinkKind): Promise<boolean> {
  const rows = await tx.query(
    `/* takeLink */ update fleetprompt_auth.links set used_at = now()
     where token_hash = decode($1, 'hex') and kind = $2 and used_at is null and expires_at > now() returning kind`,
    [tokenHash.toString("hex"), kind],
  )
  return rows.length > 0
}

/** Gives a link back that was taken for what then failed. */
export async function giveLinkBack(tx: Queryable, tokenHash: Buffer): Promise<void> {
  await tx.query(
    `/* giveLinkBack */ update fleetprompt_auth.links set used_at = null where token_hash = decode($1, 'hex')`,
    [tokenHash.toString("hex")],
  )
}

/** Ends all links of a kind that were not used. */
export async function deleteLinks(tx: Queryable, kind: LinkKind): Promise<void> {
  await tx.query(`/* deleteLinks */ delete from fleetprompt_auth.links where kind = $1 and used_at is null`, [kind])
}

/** Removes links that ended a day ago. */
export async function deleteOldLinks(tx: Queryable): Promise<void> {
  await tx.query(`/* deleteOldLinks */ delete from fleetprompt_auth.links where expires_at < now() - interval '1 day'`)
}
