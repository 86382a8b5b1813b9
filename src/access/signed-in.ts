import { appendPlatformAudit } from "../audit/append-audit.ts"
import { FleetPromptError } from "../errors.ts"
import { newId } from "../signal/id.ts"
import type { Transaction } from "../store/database.ts"
import {
  type Identity,
  insertIdentity,
  insertUser,
  selectUserByEmail,
  selectUserOfIdentity,
  type UserRecord,
} from "../store/people.ts"
import { checkEmail, checkName } from "./person-fields.ts"

/** What a sign-in found out about somebody. */
export interface SignedIn extends Identity {
  readonly email: string
  /** Whether the provider made sure that the address is theirs, and you believe this provider that. */
  readonly emailVerified: boolean
  readonly name: string
}

/**
 * The person of a sign-in. By the identity first: an address may change, and may pass to somebody else. A person is
 * found by a verified address alone, or whoever claims an address at some provider would be that person.
 */
export async function userOfSignIn(tx: Transaction, signedIn: SignedIn): Promise<UserRecord> {
  const user = (await selectUserOfIdentity(tx, signedIn)) ?? (await firstSignIn(tx, signedIn))
  if (user.status === "active") return user
  throw new FleetPromptError("forbidden", "expected a person who is not disabled; ask the platform's operator")
}

async function firstSignIn(tx: Transaction, signedIn: SignedIn): Promise<UserRecord> {
  const email = checkEmail(signedIn.email)
  const made = await insertUser(tx, { id: newId(), email, name: checkName(signedIn.name), isOperator: false })
  const user = made ?? (await personWithAddress(tx, email, signedIn.emailVerified))
  // Two first sign-ins at once: whoever came second finds what the first one linked.
  if (!(await insertIdentity(tx, user.id, signedIn))) return (await selectUserOfIdentity(tx, signedIn)) ?? user
  const actor = { kind: "user", id: user.id } as const
  const resource = `user:${user.id}`
  await appendPlatformAudit(tx, [
    ...(made ? [{ action: "user.create", resource, actor }] : []),
    { action: "identity.link", resource, actor, details: { provider: signedIn.provider } },
  ])
  return user
}

async function personWithAddress(tx: Transaction, email: string, emailVerified: boolean): Promise<UserRecord> {
  const user = emailVerified ? await selectUserByEmail(tx, email) : undefined
  if (user) return user
  throw new FleetPromptError(
    "identity_conflict",
    "expected a verified address, this one is somebody's and the provider did not verify it; sign in as before and link the new way",
  )
}
