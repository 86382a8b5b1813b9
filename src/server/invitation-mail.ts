import type { SentInvitation } from "../access/invitations.ts"

/** An invitation that is to reach somebody. */
export interface InvitationMail extends SentInvitation {
  /** Slug of the tenant. */
  readonly tenant: string
}
