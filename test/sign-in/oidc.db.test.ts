import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { OidcProvider } from "../../src/server/sign-in/options.ts"
import { testDatabase, type TestDatabase } from "../support/test-database.ts"
import { testSlug } from "../support/test-fleet.ts"
import { member, organisation, PASSWORD, tenantOf, testEmail } from "./members.ts"
import { type OidcIssuer, oidcIssuer } from "./oidc-issuer.ts"
import { type SignInServer, signInServer } from "./sign-in-server.ts"
import { type Answer, Visitor } from "./visitor.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

interface OidcServer extends SignInServer {
  readonly provider: OidcIssuer
}

async function oidcServer(more: Partial<OidcProvider> = {}): Promise<OidcServer> {
  let provider: OidcIssuer | undefined
  const server = await signInServer(db.database, async (url) => {
    provider = await oidcIssuer(`${url}/auth/api/sso/callback/acme`)
    const { issuer, client } = provider
    return {
      providers: [{ kind: "oidc", id: "acme", name: "Acme", domains: ["acme.example"], issuer, ...client, ...more }],
    }
  })
  if (!provider) throw new Error("expected a provider")
  return { ...server, provider }
}

/** Goes to the provider and to where it sends the browser back, without calling us there. */
async function toProvider(visitor: Visitor, { provider }: OidcServer, path = "/auth/with/acme"): Promise<string> {
  const there = new Visitor(provider.issuer)
  const begun = await visitor.get(path)
  let at = begun.location ?? ""
  for (let hop = 0; at.startsWith(provider.issuer) || at.startsWith("/"); hop++) {
    if (hop > 10) throw new Error("expected the provider to send the browser back")
    at = (await there.get(at)).location ?? ""
  }
  return at
}

async function signInBy(visitor: Visitor, server: OidcServer, path?: string): Promise<Answer> {
  return visitor.get(await toProvider(visitor, server, path))
}

describe("signing in by OpenID Connect", () => {
  test("lets an invited person in, and knows them again by subject when their address changed", async () => {
    const server = await oidcServer()
    const tenant = await organisation(server)
    const visitor = await member(server, tenant)
    const sub = testSlug("sub")
    server.provider.becomes({ sub, email: testEmail("mia"), name: "Mia at Acme" })
    const browser = server.visitor()
    const answer = await signInBy(browser, server, "/auth/with/acme?to=/%3Fpattern%3Da")
    expect([answer.status, answer.location]).toEqual([303, "/?pattern=a"])
    expect(await tenantOf(browser)).toBe(tenant)
    expect(await tenantOf(visitor)).toBe(tenant)
    server.provider.becomes({ sub, email: testEmail("renamed"), name: "Mia" })
    const later = server.visitor()
    expect((await signInBy(later, server)).status).toBe(303)
    expect(await tenantOf(later)).toBe(tenant)
    const tokens = await db.database.query(
      `select from fleetprompt_auth.account where "accessToken" is not null or "idToken" is not null or "refreshToken" is not null`,
    )
    expect(tokens).toEqual([])
    expect(server.faults).toEqual([])
  })

  test("lets nobody into an organisation who was not invited, unless the provider's people join", async () => {
    const server = await oidcServer()
    await organisation(server)
    server.provider.becomes({ sub: testSlug("sub"), email: testEmail("zoe"), name: "Zoe" })
    const zoe = server.visitor()
    expect((await signInBy(zoe, server)).location).toBe("/auth/organisations?to=%2F")
    expect(await tenantOf(zoe)).toBeUndefined()
    expect((await zoe.get("/auth/organisations")).text).toContain("You belong to no organisation")
    const tenant = await organisation(server, "joined")
    const joining = await oidcServer({ joins: { tenant, role: "member" } })
    joining.provider.becomes({ sub: testSlug("sub"), email: testEmail("zoe"), name: "Zoe" })
    const again = joining.visitor()
    expect((await signInBy(again, joining)).location).toBe("/")
    expect(await tenantOf(again)).toBe(tenant)
    expect((await signInBy(joining.visitor(), joining)).location).toBe("/")
    const { members } = await server.fleet.tenant(tenant).members.list()
    expect(members.filter(({ email }) => email === testEmail("zoe")).map(({ role }) => role)).toEqual(["member"])
  })

  test("refuses an address of a domain that is not the provider's, even somebody's", async () => {
    const server = await oidcServer()
    const tenant = await organisation(server)
    await member(server, tenant, { email: testEmail("boss", "other.example") })
    server.provider.becomes({ sub: testSlug("sub"), email: testEmail("boss", "other.example"), name: "Boss" })
    const eve = server.visitor()
    expect((await signInBy(eve, server)).location).toBe("/auth/sign-in?error=domain_not_allowed")
    expect(await tenantOf(eve)).toBeUndefined()
    expect((await eve.get("/auth/sign-in?error=domain_not_allowed")).text).toContain(
      "may not speak for this email address",
    )
  })

  test("refuses another subject with the address of one it knows", async () => {
    const server = await oidcServer()
    const tenant = await organisation(server)
    await member(server, tenant)
    server.provider.becomes({ sub: testSlug("first"), email: testEmail("mia"), name: "Mia" })
    expect((await signInBy(server.visitor(), server)).status).toBe(303)
    server.provider.becomes({ sub: testSlug("second"), email: testEmail("mia"), name: "Another Mia" })
    const other = server.visitor()
    expect((await signInBy(other, server)).location).toBe("/auth/sign-in?error=subject_changed")
    expect(await tenantOf(other)).toBeUndefined()
  })

  test("refuses an answer that another browser asked for, one that comes twice, and one that was made up", async () => {
    const server = await oidcServer()
    const tenant = await organisation(server)
    await member(server, tenant)
    server.provider.becomes({ sub: testSlug("sub"), email: testEmail("mia"), name: "Mia" })
    const asking = server.visitor()
    const back = await toProvider(asking, server)
    const other = server.visitor()
    expect((await other.get(back)).location).toMatch(/^\/auth\/sign-in\?error=/)
    expect(await tenantOf(other)).toBeUndefined()
    const mine = server.visitor()
    const path = await toProvider(mine, server)
    expect((await mine.get(path)).location).toBe("/")
    const replaying = server.visitor()
    for (const [name, value] of mine.cookies) if (!name.endsWith("session_token")) replaying.cookies.set(name, value)
    expect((await replaying.get(path)).location).toMatch(/^\/auth\/sign-in\?error=/)
    expect(await tenantOf(replaying)).toBeUndefined()
    const invented = await server.visitor().get("/auth/api/sso/callback/acme?code=x&state=y")
    expect(invented.location).toMatch(/^\/auth\/sign-in\?error=/)
  })

  test("says so when somebody turns back there, and knows no other provider", async () => {
    const server = await oidcServer()
    const visitor = server.visitor()
    expect((await signInBy(visitor, server)).location).toBe("/auth/sign-in?error=access_denied")
    expect((await server.visitor().get("/auth/with/other")).status).toBe(404)
    expect((await server.visitor().get("/auth/api/sso/callback/other")).status).toBe(404)
  })

  test("ends the session that the browser came with", async () => {
    const server = await oidcServer()
    const tenant = await organisation(server)
    const browser = await member(server, tenant)
    const planted = server.visitor()
    for (const [name, value] of browser.cookies) planted.cookies.set(name, value)
    server.provider.becomes({ sub: testSlug("sub"), email: testEmail("mia"), name: "Mia" })
    await signInBy(browser, server)
    expect([await tenantOf(planted), await tenantOf(browser)]).toEqual([undefined, tenant])
  })

  test("gives nobody a password by mail who signs in without one", async () => {
    const server = await oidcServer()
    const tenant = await organisation(server)
    server.provider.becomes({ sub: testSlug("sub"), email: testEmail("zoe"), name: "Zoe" })
    await signInBy(server.visitor(), server)
    const { token } = await server.fleet.tenant(tenant).invitations.create({ email: testEmail("zoe") })
    await server.visitor().post("/auth/reset", { email: testEmail("zoe") })
    await server.signIn.settled()
    expect(server.mails.map(({ subject }) => subject)).toEqual(["You sign in to FleetPrompt without a password"])
    const thief = await server.visitor().post("/auth/invitation", { token, name: "Eve", password: PASSWORD })
    expect(thief.location).toContain("/auth/sign-in")
  })
})
