import { Hono } from "hono"
import { FleetPromptError } from "../../errors.ts"
import { open } from "../permit.ts"
import { readBody } from "../read-body.ts"
import { notFound } from "../problem.ts"
import { callerOf, goTo, letIn, type SignInDesk, waitPage } from "./desk.ts"
import { ENGINE_PATH } from "./engine-options.ts"
import type { IdentityProvider } from "./options.ts"
import { checkSamlAnswer } from "./saml-answer.ts"
import { ownPath } from "./same-origin.ts"
import { cookieOf, cookiePrefix, isEqual } from "./session-cookie.ts"

const SSO_PATH = `${ENGINE_PATH.slice("/auth".length)}/sso`
/** An answer of SAML has 256 KB at most, and goes in base64 in a form. */
const MAX_ANSWER_BYTES = 400_000
const FLOW_LIFETIME_S = 600

/**
 * Signing in by an identity provider: to it, and back from it. Of better-auth's own addresses only those that a
 * provider calls can be reached.
 */
export function providerRoutes(desk: SignInDesk): Hono {
  const { settings, engine, limits } = desk
  const flow = open("a provider's answer is the proof")
  const routes = new Hono()
  const find = (id: string, kind?: IdentityProvider["kind"]): IdentityProvider => {
    const found = settings.providers.find(
      (provider) => provider.id === id && (kind === undefined || provider.kind === kind),
    )
    if (!found) throw notFound("an identity provider")
    return found
  }

  routes.get("/with/:provider", flow, async (context) => {
    const provider = find(context.req.param("provider"))
    const verdict = await limits.beforeFlow(callerOf(desk, context.req.raw).address)
    if (verdict.kind === "wait") return waitPage("Sign in", verdict)
    const to = ownPath(context.req.query("to"), settings.origin)
    const { url, cookies } = await engine.startProvider(provider.id, to)
    return goTo(url, provider.kind === "saml" ? [...cookies, samlCookie(url, settings.isSecure)] : cookies)
  })

  routes.get(`${SSO_PATH}/callback/:provider`, flow, async (context) => {
    const provider = find(context.req.param("provider"), "oidc")
    const response = await engine.handle(callerOf(desk, context.req.raw), context.req.raw, undefined)
    return finish(desk, context, provider, response)
  })

  routes.post(`${SSO_PATH}/saml2/sp/acs/:provider`, flow, async (context) => {
    const provider = find(context.req.param("provider"), "saml")
    const verdict = await limits.beforeFlow(callerOf(desk, context.req.raw).address)
    if (verdict.kind === "wait") return waitPage("Sign in", verdict)
    const body = Buffer.from(await readBody(context.req.raw, MAX_ANSWER_BYTES)).toString("utf8")
    const form = new URLSearchParams(body)
    checkFlow(context.req.raw, form.get("RelayState") ?? "", settings.isSecure)
    checkSamlAnswer(form.get("SAMLResponse") ?? "")
    const response = await engine.handle(callerOf(desk, context.req.raw), context.req.raw, body)
    return finish(desk, context, provider, response)
  })

  routes.get(`${SSO_PATH}/saml2/sp/metadata`, flow, (context) => {
    find(context.req.query("providerId") ?? "", "saml")
    return engine.handle(callerOf(desk, context.req.raw), context.req.raw, undefined)
  })

  return routes
}

/** What comes after the provider: our own checks, and the session's cookie from us. */
async function finish(
  desk: SignInDesk,
  context: Parameters<typeof letIn>[1],
  { joins }: IdentityProvider,
  response: Response,
): Promise<Response> {
  const location = response.headers.get("location")
  const set = response.headers.getSetCookie().find((cookie) => cookie.startsWith(`${desk.cookie.name}=`))
  const opened = set === undefined ? undefined : await openedBy(desk, set)
  if (opened) return letIn(desk, context, opened, ownPath(pathOf(location), desk.settings.origin), joins)
  const error = location === null ? null : new URL(location, desk.settings.origin).searchParams.get("error")
  return goTo(`/auth/sign-in?error=${encodeURIComponent(error ?? "provider_failed")}`)
}

async function openedBy({ engine, cookie }: SignInDesk, setCookie: string) {
  const request = new Request("http://localhost", { headers: { cookie: setCookie.split(";")[0] ?? "" } })
  const token = cookie.read(request)
  return token === undefined ? undefined : engine.adopt(token)
}

function pathOf(location: string | null): string | undefined {
  if (location === null || !URL.canParse(location)) return location ?? undefined
  const { pathname, search, hash } = new URL(location)
  return `${pathname}${search}${hash}`
}

/**
 * A SAML answer comes from the provider's site, and browsers send no other cookie of ours along. This one binds the
 * answer to the browser that asked, so that nobody signs another's browser in to an account of theirs. Over plain http
 * browsers take no such cookie, so that on this machine without https it is left out.
 */
function samlCookie(url: string, isSecure: boolean): string {
  const state = new URL(url).searchParams.get("RelayState") ?? ""
  const attributes = isSecure ? "SameSite=None; Secure" : "SameSite=Lax"
  return `${samlCookieName(isSecure)}=${encodeURIComponent(state)}; Max-Age=${FLOW_LIFETIME_S}; Path=/; HttpOnly; ${attributes}`
}

function samlCookieName(isSecure: boolean): string {
  return `${cookiePrefix(isSecure)}.saml`
}

function checkFlow(request: Request, relayState: string, isSecure: boolean): void {
  if (!isSecure) return
  const bound = cookieOf(request, samlCookieName(isSecure))
  if (bound !== undefined && bound !== "" && isEqual(bound, relayState)) return
  throw new FleetPromptError(
    "forbidden",
    "expected the answer to a sign-in that this browser began, got another; begin to sign in again",
  )
}
