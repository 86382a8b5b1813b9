import type { Context } from "hono"
import { replaceSessionToken } from "../../store/sign-in-sessions.ts"
import { goTo, type SignInDesk } from "./desk.ts"
import type { Person } from "./person.ts"
import { hashOfToken, newSessionToken } from "./session-token.ts"
import type { CurrentSession } from "./sessions.ts"

/** Somebody who is signed in, with their session. */
export interface Visitor {
  readonly session: CurrentSession
  readonly person: Person
}

/** Runs a route for whoever is signed in; others are sent to sign in, and back after it. */
export function forVisitors(
  { sessions, engine, cookie }: SignInDesk,
  run: (context: Context, visitor: Visitor) => Promise<Response>,
): (context: Context) => Promise<Response> {
  return async (context) => {
    const session = await sessions.current(context.req.raw)
    const person = session && (await engine.findById(session.personId))
    if (session && person) return run(context, { session, person })
    const { pathname, search } = new URL(context.req.url)
    const back = context.req.method === "GET" ? `${pathname}${search}` : "/"
    return goTo(`/auth/sign-in?to=${encodeURIComponent(back)}`, [cookie.clear])
  }
}

/**
 * Gives a session another token, so that one that was known before a change of rights is worth nothing after it.
 *
 * @returns the cookie to set.
 */
export async function rotate(
  { database, sessions, cookie }: SignInDesk,
  { id, expiresAt }: CurrentSession,
): Promise<string> {
  const token = newSessionToken()
  sessions.forget()
  if (!(await replaceSessionToken(database, id, hashOfToken(token)))) return cookie.clear
  return cookie.set(token, expiresAt.getTime() - Date.now())
}
