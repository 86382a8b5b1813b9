import type { Context } from "hono"
import type { Database } from "../../store/database.ts"
import { deleteSessionOfToken } from "../../store/sign-in-sessions.ts"
import { FleetPromptError } from "../../errors.ts"
import { readBody } from "../read-body.ts"
import type { Caller, OpenedSession, SignInEngine } from "./engine.ts"
import type { SignInLimits, Verdict } from "./limits.ts"
import type { ProviderJoins, SignInSettings } from "./options.ts"
import { pageOf } from "./page.ts"
import { refusalPage } from "./password-pages.ts"
import type { SignInPeople } from "./people.ts"
import type { SessionCookie } from "./session-cookie.ts"
import { hashOfToken } from "./session-token.ts"
import type { Sessions } from "./sessions.ts"

/** What the routes of sign-in work with. */
export interface SignInDesk {
  readonly database: Database
  readonly settings: SignInSettings
  readonly engine: SignInEngine
  readonly people: SignInPeople
  readonly sessions: Sessions
  readonly limits: SignInLimits
  readonly cookie: SessionCookie
  /** Sends mails after the answer, so that the time it takes tells nobody whether one was sent. */
  readonly later: (work: () => Promise<void>) => void
}

const MAX_FORM_BYTES = 16_384
const FORM_TYPE = "application/x-www-form-urlencoded"

/** The fields of a form. @throws FleetPromptError `body_malformed`, `body_too_large` */
export async function readForm(request: Request): Promise<URLSearchParams> {
  const type = request.headers.get("content-type") ?? ""
  if (type.split(";")[0]?.trim().toLowerCase() !== FORM_TYPE) {
    throw new FleetPromptError("body_malformed", `expected a form, ${FORM_TYPE}, got another kind of body`)
  }
  return new URLSearchParams(Buffer.from(await readBody(request, MAX_FORM_BYTES)).toString("utf8"))
}

/** A field of a form without the space around it. */
export function textOf(form: URLSearchParams, name: string): string {
  return (form.get(name) ?? "").trim()
}

const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@]+$/
const MAX_EMAIL_LENGTH = 254

/** An address in small letters; undefined when it is none. */
export function emailOf(form: URLSearchParams): string | undefined {
  const email = textOf(form, "email").toLowerCase()
  return email.length <= MAX_EMAIL_LENGTH && EMAIL.test(email) ? email : undefined
}

/** What sessions and limits note of a request. */
export function callerOf({ settings }: SignInDesk, request: Request): Caller {
  return { address: settings.addressOf(request), userAgent: request.headers.get("user-agent")?.slice(0, 300) ?? null }
}

/** Goes to another page after something was done. */
export function goTo(path: string, cookies: readonly string[] = []): Response {
  const headers = new Headers({ location: path, "cache-control": "no-store" })
  for (const cookie of cookies) headers.append("set-cookie", cookie)
  return new Response(null, { status: 303, headers })
}

/** The answer to whoever must wait. */
export function waitPage(title: string, { retryAfterS }: Extract<Verdict, { kind: "wait" }>): Promise<Response> {
  const minutes = Math.ceil(retryAfterS / 60)
  const problem = `There were too many tries. Try again in ${minutes === 1 ? "a minute" : `${minutes} minutes`}.`
  return pageOf(refusalPage(title, problem), 429, { "retry-after": String(retryAfterS) })
}

/**
 * Lets somebody in with a session that was just opened. The session that the request came with ends, so that nobody
 * who planted or knew it comes along.
 */
export async function letIn(
  desk: SignInDesk,
  context: Context,
  { token, person }: OpenedSession,
  to: string,
  joins?: ProviderJoins,
): Promise<Response> {
  await desk.sessions.end(context.req.raw)
  if (!(await desk.people.arrive(person, joins))) {
    await deleteSessionOfToken(desk.database, hashOfToken(token))
    return pageOf(refusalPage("Sign in", "This account is disabled. Ask an owner of your organisation."), 403)
  }
  await desk.people.note(person.id, { action: "session.open", details: { path: context.req.path } })
  const choices = await desk.people.organisationsOf(person.id)
  const mustChoose = choices.length !== 1 && !choices.some(({ isChosen }) => isChosen) && !to.startsWith("/auth/")
  return goTo(mustChoose ? `/auth/organisations?to=${encodeURIComponent(to)}` : to, [
    desk.cookie.set(token, desk.settings.lifetimeMs),
  ])
}
