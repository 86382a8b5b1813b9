/** Somebody who signs in. The id is that of better-auth's user, not that of the platform's. */
export interface Person {
  readonly id: string
  readonly email: string
  readonly name: string
}

/** What of a longer row says who somebody is. */
export function personOf({ id, email, name }: Person): Person {
  return { id, email, name }
}
