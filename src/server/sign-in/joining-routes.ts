import { type Context, Hono } from "hono"
import { checkSlug } from "../../guard/slug.ts"
import { FleetPromptError, isFleetPromptError } from "../../errors.ts"
import { deleteSessions } from "../../store/sign-in-sessions.ts"
import { open } from "../permit.ts"
import { callerOf, emailOf, goTo, letIn, readForm, type SignInDesk, textOf, waitPage } from "./desk.ts"
import {
  firstOwnerPage,
  type FoundingValues,
  invitationPage,
  knownInvitationPage,
  signUpFinishPage,
  signUpPage,
} from "./joining-pages.ts"
import type { Person } from "./person.ts"
import { endLinks, findLink, makeLink, withLink } from "./links.ts"
import { knownMail, signUpMail } from "./mail.ts"
import { type Page, pageOf } from "./page.ts"
import { deadLinkPage, mailSentPage, refusalPage } from "./password-pages.ts"
import { passwordProblem } from "./password-rules.ts"

/** What somebody typed in who founds an organisation. */
interface Founding extends FoundingValues {
  readonly organisation: string
  readonly slug: string
  readonly name: string
  readonly password: string
}

/** Coming in for the first time: as the first owner, by an invitation, or by oneself where that is open. */
export function joiningRoutes(desk: SignInDesk): Hono {
  const routes = new Hono()
  firstOwnerRoutes(desk, routes)
  invitationRoutes(desk, routes)
  if (desk.settings.signUp === "open") signUpRoutes(desk, routes)
  return routes
}

const strangers = open("the link in the request is the proof, or one is mailed")

function firstOwnerRoutes(desk: SignInDesk, routes: Hono): void {
  const title = "Set up FleetPrompt"
  const isUsable = async (token: string): Promise<boolean> =>
    (await findLink(desk.database, "first_owner", token)) !== undefined && (await desk.people.isEmpty())
  const dead = (): Promise<Response> => pageOf(deadLinkPage(title, "Start the server again for another one."), 410)

  routes.get("/first", strangers, async (context) => {
    const token = context.req.query("token") ?? ""
    return (await isUsable(token)) ? pageOf(firstOwnerPage(token, {})) : dead()
  })

  routes.post("/first", strangers, async (context) => {
    const verdict = await desk.limits.beforeOther(callerOf(desk, context.req.raw).address)
    if (verdict.kind === "wait") return waitPage(title, verdict)
    const form = await readForm(context.req.raw)
    const token = textOf(form, "token")
    if (!(await isUsable(token))) return dead()
    const email = emailOf(form)
    const founding = foundingOf(form)
    const problem = email === undefined ? "Type in an email address." : foundingProblem(founding)
    const again = (why: string): Promise<Response> =>
      pageOf(firstOwnerPage(token, { ...founding, email: textOf(form, "email") }, why), 422)
    if (email === undefined || problem !== undefined) return again(problem ?? "")
    return found(desk, context, { kind: "first_owner", token, email, founding, dead, again })
  })
}

function signUpRoutes(desk: SignInDesk, routes: Hono): void {
  const { database, engine, limits, settings } = desk
  const title = "Sign up"
  const dead = (): Promise<Response> => pageOf(deadLinkPage(title, "Sign up again."), 410)

  routes.get("/sign-up", strangers, () =>
    pageOf(settings.sendMail ? signUpPage() : refusalPage(title, "This server sends no mail. Ask whoever runs it.")),
  )

  routes.post("/sign-up", strangers, async (context) => {
    const verdict = await limits.beforeOther(callerOf(desk, context.req.raw).address)
    if (verdict.kind === "wait") return waitPage(title, verdict)
    const email = emailOf(await readForm(context.req.raw))
    if (email === undefined) return pageOf(signUpPage("Type in an email address."), 422)
    desk.later(async () => {
      if (!(await limits.mayMail(email))) return
      const isKnown = (await engine.find(email)) !== undefined
      const link = isKnown
        ? "/auth/sign-in"
        : `/auth/sign-up/finish?token=${await makeLink(database, "sign_up", email)}`
      await settings.sendMail?.((isKnown ? knownMail : signUpMail)(email, `${settings.origin}${link}`))
    })
    return pageOf(mailSentPage(title))
  })

  routes.get("/sign-up/finish", strangers, async (context) => {
    const token = context.req.query("token") ?? ""
    const link = await findLink(database, "sign_up", token)
    return link?.email ? pageOf(signUpFinishPage(token, link.email, {})) : dead()
  })

  routes.post("/sign-up/finish", strangers, async (context) => {
    const verdict = await limits.beforeOther(callerOf(desk, context.req.raw).address)
    if (verdict.kind === "wait") return waitPage(title, verdict)
    const form = await readForm(context.req.raw)
    const token = textOf(form, "token")
    const link = await findLink(database, "sign_up", token)
    if (!link?.email) return dead()
    const { email } = link
    const founding = foundingOf(form)
    const again = (why: string): Promise<Response> => pageOf(signUpFinishPage(token, email, founding, why), 422)
    const problem = foundingProblem(founding)
    if (problem !== undefined) return again(problem)
    return found(desk, context, { kind: "sign_up", token, email, founding, dead, again })
  })
}

interface FoundingStep {
  readonly kind: "first_owner" | "sign_up"
  readonly token: string
  readonly email: string
  readonly founding: Founding
  readonly dead: () => Promise<Response>
  readonly again: (why: string) => Promise<Response>
}

/** Makes the person, the organisation and its tenant with a link's token, which is used up when all of it worked. */
async function found(desk: SignInDesk, context: Context, step: FoundingStep): Promise<Response> {
  const { database, engine, people } = desk
  const { kind, token, email, founding } = step
  try {
    const isDone = await withLink(database, kind, token, async () => {
      const person = await freshPerson(desk, email, founding)
      const { slug, organisation: name } = founding
      await people.foundOrganisation(person, { slug, name, isFirst: kind === "first_owner" })
    })
    if (!isDone) return await step.dead()
  } catch (error) {
    if (isFleetPromptError(error) && FOUNDING_FAULTS.has(error.code)) return step.again(error.message)
    throw error
  }
  if (kind === "first_owner") await endLinks(database, "first_owner")
  const person = await engine.find(email)
  if (!person) return step.dead()
  return letIn(desk, context, await engine.openSession(callerOf(desk, context.req.raw), person), "/")
}

/** A new person; or the one that a try before left behind, who got no further than here. */
async function freshPerson(
  { database, engine, people }: SignInDesk,
  email: string,
  { name, password }: Founding,
): Promise<Person> {
  const left = await engine.find(email)
  if (!left) return engine.create({ email, name }, password)
  if ((await people.organisationsOf(left.id)).length > 0) {
    throw new FleetPromptError("user_exists", "this address has an account already: sign in")
  }
  await deleteSessions(database, left.id, undefined)
  await engine.setPassword(left.id, password)
  return left
}

/** What can be wrong with what was typed in, besides what is checked before. */
const FOUNDING_FAULTS: ReadonlySet<string> = new Set([
  "tenant_invalid",
  "organisation_exists",
  "person_invalid",
  "user_exists",
])

function foundingOf(form: URLSearchParams): Founding {
  return {
    organisation: textOf(form, "organisation"),
    slug: textOf(form, "slug"),
    name: textOf(form, "name"),
    password: form.get("password") ?? "",
  }
}

function foundingProblem({ organisation, slug, name, password }: Founding): string | undefined {
  if (organisation === "" || organisation.length > 200) return "Name your organisation, with 200 characters at most."
  if (!isSlug(slug)) return "Choose another short name: 2 to 41 small letters, digits or _, beginning with a letter."
  return nameProblem(name) ?? passwordProblem(password)
}

function nameProblem(name: string): string | undefined {
  return name === "" || name.length > 200 ? "Say your name, with 200 characters at most." : undefined
}

function isSlug(text: string): boolean {
  try {
    return checkSlug(text) === text
  } catch {
    return false
  }
}

function invitationRoutes(desk: SignInDesk, routes: Hono): void {
  const { engine, people, sessions, limits } = desk
  const dead = (): Promise<Response> => pageOf(deadLinkPage("Join", "Ask for another invitation."), 410)
  /** Whether the request is of the person with this address. */
  const isOf = async (request: Request, email: string): Promise<boolean> => {
    const session = await sessions.current(request)
    const person = session && (await engine.findById(session.personId))
    return person?.email === email
  }

  routes.get("/invitation", strangers, async (context) => {
    const token = context.req.query("token") ?? ""
    const invitation = await people.findInvitation(token)
    if (!invitation) return dead()
    const isKnown = (await engine.find(invitation.email)) !== undefined
    const page: Page = isKnown
      ? knownInvitationPage(token, invitation, await isOf(context.req.raw, invitation.email))
      : invitationPage(token, invitation)
    return pageOf(page)
  })

  routes.post("/invitation", strangers, async (context) => {
    const caller = callerOf(desk, context.req.raw)
    const verdict = await limits.beforeOther(caller.address)
    if (verdict.kind === "wait") return waitPage("Join", verdict)
    const form = await readForm(context.req.raw)
    const token = textOf(form, "token")
    const invitation = await people.findInvitation(token)
    if (!invitation) return dead()
    const known = await engine.find(invitation.email)
    if (known && !(await isOf(context.req.raw, invitation.email))) {
      return goTo(`/auth/sign-in?to=${encodeURIComponent(`/auth/invitation?token=${token}`)}`)
    }
    const name = textOf(form, "name")
    const password = form.get("password") ?? ""
    const problem = known ? undefined : (nameProblem(name) ?? passwordProblem(password))
    if (problem !== undefined) return pageOf(invitationPage(token, invitation, problem), 422)
    const person = known ?? (await engine.create({ email: invitation.email, name }, password))
    await people.acceptInvitation(token, person)
    return letIn(desk, context, await engine.openSession(caller, person), "/")
  })
}
