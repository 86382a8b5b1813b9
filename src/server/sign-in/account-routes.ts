import { Hono } from "hono"
import { selectWaysIn } from "../../store/sign-in-people.ts"
import { deleteSession, deleteSessions, selectSessions } from "../../store/sign-in-sessions.ts"
import { open } from "../permit.ts"
import { accountPage, type AccountView, organisationsPage } from "./account-pages.ts"
import { callerOf, goTo, readForm, type SignInDesk, textOf, waitPage } from "./desk.ts"
import { pageOf } from "./page.ts"
import { passwordProblem } from "./password-rules.ts"
import { ownPath } from "./same-origin.ts"
import { forVisitors, rotate, type Visitor } from "./visitor.ts"

const asksItself = open("asks for the session itself, and sends whoever has none to sign in")

/** One's own organisations, sessions and password. */
export function accountRoutes(desk: SignInDesk): Hono {
  const routes = new Hono()
  organisationRoutes(desk, routes)
  sessionRoutes(desk, routes)
  passwordRoute(desk, routes)
  return routes
}

function organisationRoutes(desk: SignInDesk, routes: Hono): void {
  const { settings, people } = desk

  routes.get(
    "/organisations",
    asksItself,
    forVisitors(desk, async (context, { person }) => {
      const to = ownPath(context.req.query("to"), settings.origin)
      return pageOf(organisationsPage(person.email, await people.organisationsOf(person.id), to))
    }),
  )

  routes.post(
    "/organisations",
    asksItself,
    forVisitors(desk, async (context, { session, person }) => {
      const form = await readForm(context.req.raw)
      await people.chooseOrganisation(person.id, textOf(form, "tenant"))
      return goTo(ownPath(form.get("to") ?? undefined, settings.origin), [await rotate(desk, session)])
    }),
  )
}

function sessionRoutes(desk: SignInDesk, routes: Hono): void {
  const { database, people, sessions, cookie } = desk

  routes.get(
    "/account",
    asksItself,
    forVisitors(desk, async (context, visitor) => {
      const notice = NOTICES[context.req.query("done") ?? ""]
      return pageOf(accountPage({ ...(await viewOf(desk, visitor)), notice }))
    }),
  )

  routes.post(
    "/sessions",
    asksItself,
    forVisitors(desk, async (context, { session, person }) => {
      const end = textOf(await readForm(context.req.raw), "end")
      const which = end === "others" || end === "all" ? end : "one"
      await people.note(person.id, { action: "session.end", details: { which } })
      if (which === "one") await deleteSession(database, person.id, end)
      else await deleteSessions(database, person.id, which === "others" ? session.id : undefined)
      sessions.forget()
      const isOut = which === "all" || end === session.id
      return isOut ? goTo("/auth/sign-in?done=out", [cookie.clear]) : goTo("/auth/account?done=sessions")
    }),
  )

  routes.post("/sign-out", asksItself, async (context) => {
    const session = await sessions.current(context.req.raw)
    await sessions.end(context.req.raw)
    if (session) await people.note(session.personId, { action: "session.end", details: { which: "this" } })
    return goTo("/auth/sign-in?done=out", [cookie.clear])
  })
}

function passwordRoute(desk: SignInDesk, routes: Hono): void {
  const { database, engine, people, limits } = desk

  routes.post(
    "/password",
    asksItself,
    forVisitors(desk, async (context, visitor) => {
      const { session, person } = visitor
      const form = await readForm(context.req.raw)
      const verdict = await limits.beforePassword(callerOf(desk, context.req.raw).address, person.email)
      if (verdict.kind === "wait") return waitPage("Your account", verdict)
      const password = form.get("password") ?? ""
      const isRight = await engine.checkPassword(person.id, form.get("current") ?? "")
      const problem = isRight ? passwordProblem(password) : "The current password is another one."
      if (problem !== undefined) return pageOf(accountPage({ ...(await viewOf(desk, visitor)), problem }), 422)
      await engine.setPassword(person.id, password)
      await deleteSessions(database, person.id, session.id)
      await people.note(person.id, { action: "password.change" })
      return goTo("/auth/account?done=password", [await rotate(desk, session)])
    }),
  )
}

async function viewOf({ database, settings }: SignInDesk, { session, person }: Visitor): Promise<AccountView> {
  return {
    email: person.email,
    sessions: await selectSessions(database, person.id, settings.idleMs),
    currentId: session.id,
    hasPassword: (await selectWaysIn(database, person.id)).includes("credential"),
  }
}

const NOTICES: Readonly<Record<string, string>> = {
  sessions: "Signed out there.",
  password: "Your password is changed. You are signed out elsewhere.",
}
