import { Hono } from "hono"
import { open } from "../permit.ts"
import { callerOf, emailOf, goTo, letIn, readForm, type SignInDesk, textOf, waitPage } from "./desk.ts"
import { MAX_PASSWORD_LENGTH, passwordProblem } from "./password-rules.ts"
import { pageOf } from "./page.ts"
import {
  deadLinkPage,
  mailSentPage,
  refusalPage,
  resetPage,
  resetRequestPage,
  signInPage,
  type SignInView,
} from "./password-pages.ts"
import { ownPath } from "./same-origin.ts"

const RESET = "Set a new password"

/** Signing in and setting a forgotten password. */
export function passwordRoutes(desk: SignInDesk): Hono {
  const { settings, engine, limits } = desk
  const strangers = open("signing in is for whoever is not known yet")
  const routes = new Hono()
  const view = (to: string): Pick<SignInView, "providers" | "isOpen" | "to"> => ({
    providers: settings.providers,
    isOpen: settings.signUp === "open",
    to,
  })

  routes.get("/sign-in", strangers, (context) => {
    const { to, error, done } = context.req.query()
    const problem =
      error === undefined ? undefined : (PROVIDER_PROBLEMS[error] ?? "Signing in did not work. Try again.")
    const notice = done === undefined ? undefined : NOTICES[done]
    return pageOf(signInPage({ ...view(ownPath(to, settings.origin)), problem, notice }))
  })

  routes.post("/sign-in", strangers, async (context) => {
    const form = await readForm(context.req.raw)
    const to = ownPath(form.get("to") ?? undefined, settings.origin)
    const caller = callerOf(desk, context.req.raw)
    const email = emailOf(form)
    const password = form.get("password") ?? ""
    const verdict = await limits.beforePassword(caller.address, email ?? "")
    if (verdict.kind === "wait") return waitPage("Sign in", verdict)
    const opened =
      email !== undefined && password.length <= MAX_PASSWORD_LENGTH
        ? await engine.signIn(caller, email, password)
        : undefined
    if (!opened || email === undefined) {
      // Later, so that the time tells nobody whether there is such an account.
      desk.later(async () => {
        const known = email === undefined ? undefined : await engine.find(email)
        if (known) await desk.people.note(known.id, { action: "session.open", outcome: "denied" })
      })
      const problem = "Email and password do not belong together."
      return pageOf(signInPage({ ...view(to), ...(email !== undefined && { email }), problem }), 401)
    }
    return letIn(desk, context, opened, to)
  })

  routes.get("/reset", strangers, () => pageOf(settings.sendMail ? resetRequestPage() : noMailPage()))

  routes.post("/reset", strangers, async (context) => {
    if (!settings.sendMail) return pageOf(noMailPage(), 503)
    const verdict = await limits.beforeOther(callerOf(desk, context.req.raw).address)
    if (verdict.kind === "wait") return waitPage(RESET, verdict)
    const email = emailOf(await readForm(context.req.raw))
    if (email === undefined) return pageOf(resetRequestPage("Type in an email address."), 422)
    desk.later(async () => {
      if (await limits.mayMail(email)) await engine.requestReset(email)
    })
    return pageOf(mailSentPage(RESET))
  })

  routes.get("/reset/new", strangers, (context) => pageOf(resetPage(context.req.query("token") ?? "")))

  routes.post("/reset/new", strangers, async (context) => {
    const verdict = await limits.beforeOther(callerOf(desk, context.req.raw).address)
    if (verdict.kind === "wait") return waitPage(RESET, verdict)
    const form = await readForm(context.req.raw)
    const token = textOf(form, "token")
    const password = form.get("password") ?? ""
    const problem = passwordProblem(password)
    if (problem !== undefined) return pageOf(resetPage(token, problem), 422)
    if (!(await engine.reset(token, password))) return pageOf(deadLinkPage(RESET, "Ask for another mail."), 410)
    desk.sessions.forget()
    return goTo("/auth/sign-in?done=reset", [desk.cookie.clear])
  })

  return routes
}

function noMailPage() {
  return refusalPage(RESET, "This server sends no mail. Ask whoever runs it.")
}

const NOTICES: Readonly<Record<string, string>> = {
  reset: "Your password is set. Sign in with it.",
  out: "You are signed out.",
}

/** What people are told of why signing in by a provider did not work; the rest is told to the server alone. */
const PROVIDER_PROBLEMS: Readonly<Record<string, string>> = {
  domain_not_allowed: "Your provider may not speak for this email address. Ask whoever runs this server.",
  subject_changed:
    "This email address belonged to another account of your provider. Ask an owner of your organisation.",
  access_denied: "You turned back at your provider.",
}
