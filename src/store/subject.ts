import { hash } from "node:crypto"
import { isUuid } from "../signal/id.ts"

/** A subject as the two indexed columns have it. */
export interface SubjectColumns {
  readonly subject_type: string | null
  readonly subject_id: string | null
}

const TYPED = /^([a-z][a-z0-9_]*):(.+)$/s
/** RFC 9562 section 6.6: the name space for URLs; ours for subjects is made from it once. */
const SUBJECT_NAMESPACE = uuidV5("6ba7b811-9dad-11d1-80b4-00c04fd430c8", "https://fleetprompt.com/subject")

/**
 * Divides a subject `type:id` into its columns. The id column is a UUID: an id that is one stays as
 * it is, any other becomes a UUIDv5 of the text, the same for the same text. So a subject is found by
 * its index whatever its id looks like; the text itself is kept beside it.
 *
 * @example
 * subjectColumns("repository:octokit/webhooks") // { subject_type: "repository", subject_id: "…-5…-…" }
 */
export function subjectColumns(subject: string | undefined): SubjectColumns {
  if (subject === undefined) return { subject_type: null, subject_id: null }
  const [, type = null, id = subject] = TYPED.exec(subject) ?? []
  return { subject_type: type, subject_id: isUuid(id) ? id.toLowerCase() : uuidV5(SUBJECT_NAMESPACE, id) }
}

/** RFC 9562 section 5.5. */
function uuidV5(namespace: string, name: string): string {
  const text = hash("sha1", Buffer.from(namespace.replaceAll("-", "") + Buffer.from(name).toString("hex"), "hex"))
  const variant = ((Number.parseInt(text.slice(16, 18), 16) & 0x3f) | 0x80).toString(16)
  const parts = [
    text.slice(0, 8),
    text.slice(8, 12),
    `5${text.slice(13, 16)}`,
    variant + text.slice(18, 20),
    text.slice(20, 32),
  ]
  return parts.join("-")
}
