import { Hono, type MiddlewareHandler } from "hono"
import { secureHeaders } from "hono/secure-headers"
import type { Authenticate } from "../../access/authenticate.ts"
import { NO_TENANT } from "../../access/policy.ts"
import { errorTable, isFleetPromptError } from "../../errors.ts"
import { databaseOf, type Fleet } from "../../fleet.ts"
import type { InvitationMail } from "../invitation-mail.ts"
import { open } from "../permit.ts"
import { selectWaysIn } from "../../store/sign-in-people.ts"
import { accountRoutes } from "./account-routes.ts"
import type { SignInDesk } from "./desk.ts"
import { openEngine } from "./engine.ts"
import { ENGINE_PATH } from "./engine-options.ts"
import { joiningRoutes } from "./joining-routes.ts"
import { SignInLimits } from "./limits.ts"
import { makeLink } from "./links.ts"
import { invitationMail, providerMail, resetMail } from "./mail.ts"
import { type SignInOptions, signInSettings } from "./options.ts"
import { pageOf } from "./page.ts"
import { refusalPage } from "./password-pages.ts"
import { passwordRoutes } from "./password-routes.ts"
import { peopleOf } from "./people-of-fleet.ts"
import { providerRoutes } from "./provider-routes.ts"
import { checkSameOrigin } from "./same-origin.ts"
import { sessionCookie } from "./session-cookie.ts"
import { Sessions } from "./sessions.ts"

/** Sign-in for people, to be mounted in a server. */
export interface SignIn {
  /** Everything under `/auth`, and the way there for whoever opens `/` without a session. */
  readonly routes: Hono
  /** Who is calling, by the session's cookie. */
  readonly authenticate: Authenticate
  /**
   * Where the first owner sets the platform up: a link that is good once and for an hour. Undefined when there is
   * somebody already.
   */
  readonly firstOwnerLink: () => Promise<string | undefined>
  /** The link that accepts an invitation with this token. */
  readonly invitationLink: (token: string) => string
  /** Mails an invitation to its address, for `createFetchHandler`. Undefined without `sendMail`. */
  readonly sendInvitation: ((mail: InvitationMail) => Promise<void>) | undefined
  /** Resolves when the mails that were asked for are sent or have failed. */
  readonly settled: () => Promise<void>
}

/**
 * Sign-in by password and by identity providers, for a running fleet. Needs the packages `better-auth` and `kysely`,
 * with providers `@better-auth/sso` as well.
 *
 * @throws FleetPromptError `config_invalid`, `peer_missing`
 * @example
 * const signIn = await createSignIn(fleet, { publicUrl: "https://fleet.example.com", secret: process.env.FLEETPROMPT_SECRET })
 * const handler = createFetchHandler(fleet, { signIn, authenticate: signIn.authenticate })
 */
export async function createSignIn(fleet: Fleet, options: SignInOptions): Promise<SignIn> {
  const settings = signInSettings(options)
  const database = databaseOf(fleet)
  const work = new Set<Promise<void>>()
  const later = (run: () => Promise<void>): void => {
    const running = run()
      .catch(settings.onError)
      .finally(() => work.delete(running))
    work.add(running)
  }
  const people = peopleOf(fleet)
  const engine = await openEngine({
    database,
    settings,
    onReset: ({ id }) => people.note(id, { action: "password.reset" }),
    sendReset: async ({ id, email }, token) => {
      const hasPassword = (await selectWaysIn(database, id)).includes("credential")
      await settings.sendMail?.(
        hasPassword
          ? resetMail(email, `${settings.origin}/auth/reset/new?token=${token}`)
          : providerMail(email, `${settings.origin}/auth/sign-in`),
      )
    },
  })
  const cookie = sessionCookie(settings.secret, settings.isSecure)
  const sessions = new Sessions({ database, settings, cookie, people })
  const limits = new SignInLimits(fleet.limiter, settings.secret)
  const desk: SignInDesk = { database, settings, engine, people, sessions, limits, cookie, later }
  const { origin, sendMail } = settings
  const linkOf = (token: string): string => `${origin}/auth/invitation?token=${encodeURIComponent(token)}`
  return {
    routes: routesOf(desk),
    authenticate: sessions.authenticate,
    firstOwnerLink: async () =>
      (await people.isEmpty())
        ? `${settings.origin}/auth/first?token=${await makeLink(database, "first_owner", null)}`
        : undefined,
    invitationLink: linkOf,
    sendInvitation:
      sendMail &&
      (async ({ invitation, organisation, token }) =>
        sendMail(invitationMail(invitation.email, organisation, linkOf(token)))),
    settled: async () => void (await Promise.all(work)),
  }
}

function routesOf(desk: SignInDesk): Hono {
  const pages = new Hono()
  pages.use(headers(desk.settings.isSecure))
  pages.use(errorPages(desk))
  pages.use(sameOrigin(desk.settings.origin))
  for (const routes of [passwordRoutes(desk), accountRoutes(desk), joiningRoutes(desk), providerRoutes(desk)])
    pages.route("/", routes)
  const app = new Hono()
  app.get("/", open("sends whoever is not signed in to sign in"), toSignIn(desk))
  return app.route("/auth", pages)
}

/** As strict as the page's, but forms may go to ourselves. */
function headers(isSecure: boolean): MiddlewareHandler {
  return secureHeaders({
    contentSecurityPolicy: {
      defaultSrc: ["'none'"],
      styleSrc: ["'self'"],
      imgSrc: ["'self'"],
      frameAncestors: ["'none'"],
      baseUri: ["'none'"],
      formAction: ["'self'"],
    },
    // With no-referrer browsers would hide where a form comes from.
    referrerPolicy: "same-origin",
    strictTransportSecurity: isSecure ? "max-age=31536000" : false,
  })
}

/**
 * What goes wrong as a page for people. It is no `onError`, since that would hide from whoever walks the routes what
 * their handlers say of who may use them; whoever has the routes mounted is told of the error first.
 */
function errorPages({ settings }: SignInDesk): MiddlewareHandler {
  return async (context, next) => {
    await next()
    const { error } = context
    if (!error) return
    if (!isFleetPromptError(error)) settings.onError(error)
    context.res = await (isFleetPromptError(error)
      ? pageOf(refusalPage("Sign in", sentence(error.message)), errorTable[error.code].status)
      : pageOf(refusalPage("Sign in", "Something went wrong here. Try again in a while."), 500))
  }
}

/** A provider's answer comes from its site, and has its own proof. */
function sameOrigin(origin: string): MiddlewareHandler {
  return async (context, next) => {
    if (!context.req.path.startsWith(`${ENGINE_PATH}/sso/saml2/sp/acs/`)) checkSameOrigin(context.req.raw, origin)
    await next()
  }
}

/** Sends whoever opens the page without a session to sign in; who has one gets it with the way to their account. */
function toSignIn({ sessions }: SignInDesk): MiddlewareHandler {
  return async (context, next) => {
    const principal = await sessions.authenticate(context.req.raw)
    if (!principal) return context.redirect("/auth/sign-in", 303)
    if (principal.tenant === NO_TENANT) return context.redirect("/auth/organisations", 303)
    await next()
    const page = await context.res.text()
    context.res = new Response(page.replace(HIDDEN_LINK, SHOWN_LINK), context.res)
    return undefined
  }
}

/** The link to one's account as the page has it; without sign-in there is nothing behind it. */
const HIDDEN_LINK = '<a id="account" href="/auth/account" hidden>'
const SHOWN_LINK = '<a id="account" href="/auth/account">'

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}
