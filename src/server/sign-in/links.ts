import { createHash, randomBytes } from "node:crypto"
import type { Queryable } from "../../store/database.ts"
import {
  deleteLinks,
  deleteOldLinks,
  giveLinkBack,
  insertLink,
  type LinkKind,
  selectLink,
  takeLink,
} from "../../store/sign-in-links.ts"

const LIFETIME_MS = 3_600_000
const TOKEN_BYTES = 32

/** Makes a link's token, which is good once and for an hour. Only its hash is kept. */
export async function makeLink(database: Queryable, kind: LinkKind, email: string | null): Promise<string> {
  const token = randomBytes(TOKEN_BYTES).toString("base64url")
  await deleteOldLinks(database)
  await insertLink(database, { tokenHash: hashOf(token), kind, email, livesMs: LIFETIME_MS })
  return token
}

/** What a token is for, while it may be used. */
export function findLink(
  database: Queryable,
  kind: LinkKind,
  token: string,
): Promise<{ readonly email: string | null } | undefined> {
  return selectLink(database, hashOf(token), kind)
}

/**
 * Uses a token up while `run` succeeds: two who come at once do not both get through, and one whose `run` failed may
 * try again. False: the token was used, has ended or never was.
 */
export async function withLink(
  database: Queryable,
  kind: LinkKind,
  token: string,
  run: () => Promise<void>,
): Promise<boolean> {
  const hash = hashOf(token)
  if (!(await takeLink(database, hash, kind))) return false
  try {
    await run()
  } catch (error) {
    await giveLinkBack(database, hash)
    throw error
  }
  return true
}

/** Ends all links of a kind. */
export function endLinks(database: Queryable, kind: LinkKind): Promise<void> {
  return deleteLinks(database, kind)
}

function hashOf(token: string): Buffer {
  return createHash("sha256").update(token).digest()
}
