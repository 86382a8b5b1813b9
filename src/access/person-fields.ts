import { FleetPromptError } from "../errors.ts"
import { isUuid } from "../signal/id.ts"
import type { MemberRole } from "../store/memberships.ts"

const MAX_EMAIL = 254
const MAX_NAME = 200
// No more than what every address has: whether it exists only a mail can tell.
const EMAIL = /^[^\s@<>"(),:;[\]\\]+@[^\s@<>"(),:;[\]\\]+\.[^\s@<>"(),:;[\]\\.]+$/
const ROLES: readonly MemberRole[] = ["owner", "admin", "member"]
const CONTROL = /\p{Cc}/u
const MAX_LIMIT = 500
const DEFAULT_LIMIT = 100

/** An email address as it is kept: without blanks around it, in small letters. @throws FleetPromptError `person_invalid` */
export function checkEmail(email: unknown): string {
  const plain = typeof email === "string" ? email.trim().normalize("NFC").toLowerCase() : ""
  if (plain.length <= MAX_EMAIL && EMAIL.test(plain) && !CONTROL.test(plain)) return plain
  throw invalid("email", `an email address of at most ${MAX_EMAIL} characters`)
}

/** A name as it is kept. @throws FleetPromptError `person_invalid` */
export function checkName(name: unknown): string {
  const plain = typeof name === "string" ? name.trim().normalize("NFC") : ""
  if (plain.length >= 1 && plain.length <= MAX_NAME && !CONTROL.test(plain) && plain.isWellFormed()) return plain
  throw invalid("name", `a name of 1 to ${MAX_NAME} characters in one line`)
}

/** @throws FleetPromptError `person_invalid` */
export function checkRole(role: unknown): MemberRole {
  const known = ROLES.find((each) => each === role)
  if (known) return known
  throw invalid("role", "one of the roles owner, admin and member")
}

/** An id in its usual form, or one that nobody has: who asks for it finds nothing. */
export function checkedId(id: unknown): string {
  return typeof id === "string" && isUuid(id) ? id.toLowerCase() : NOBODY
}

/** No UUIDv7 is this. */
const NOBODY = "00000000-0000-0000-0000-000000000000"

/** How many of a list at once. Default 100. @throws FleetPromptError `query_invalid` */
export function checkListLimit(limit: number = DEFAULT_LIMIT): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit
  throw new FleetPromptError(
    "query_invalid",
    `expected a whole number from 1 to ${MAX_LIMIT} as limit, got something else; leave it out for ${DEFAULT_LIMIT}`,
    { path: "limit" },
  )
}

function invalid(path: string, expected: string): FleetPromptError {
  // The value may be anything, so it is not repeated.
  return new FleetPromptError("person_invalid", `expected ${expected} as ${path}, got something else; correct it`, {
    path,
  })
}
