import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { clientAddressOf } from "../../src/access/client-address.ts"
import { accessOf } from "../../src/server/permit.ts"
import { testDatabase, type TestDatabase } from "../support/test-database.ts"
import { member, organisation, PASSWORD, tenantOf, testEmail } from "./members.ts"
import { signInServer } from "./sign-in-server.ts"
import { linkIn, tokenIn } from "./visitor.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

test("sign-out ends the session, and the password opens another", async () => {
  const server = await signInServer(db.database)
  const tenant = await organisation(server)
  const mia = await member(server, tenant)
  const before = new Map(mia.cookies)
  expect((await mia.post("/auth/sign-out", {})).location).toBe("/auth/sign-in?done=out")
  expect([await tenantOf(mia), mia.cookies.size]).toEqual([undefined, 0])
  for (const [name, value] of before) mia.cookies.set(name, value)
  expect(await tenantOf(mia)).toBeUndefined()
  const back = await mia.post("/auth/sign-in", {
    email: testEmail("mia").toUpperCase(),
    password: PASSWORD,
    to: "/?pattern=a.**",
  })
  expect([back.status, back.location]).toEqual([303, "/?pattern=a.**"])
  expect(await tenantOf(mia)).toBe(tenant)
  expect(server.faults).toEqual([])
})

test("the page itself is for who is signed in, and others are sent to sign in", async () => {
  const server = await signInServer(db.database)
  const stranger = await server.visitor().get("/")
  expect([stranger.status, stranger.location]).toEqual([303, "/auth/sign-in"])
  const account = await server.visitor().get("/auth/account")
  expect([account.status, account.location]).toEqual([303, "/auth/sign-in?to=%2Fauth%2Faccount"])
})

describe("an invitation", () => {
  test("makes a member of whoever has the address, once", async () => {
    const server = await signInServer(db.database)
    const tenant = await organisation(server)
    const email = testEmail("mia")
    const { token } = await server.fleet.tenant(tenant).invitations.create({ email, role: "admin" })
    const mia = server.visitor()
    const page = await mia.get(linkIn(server.signIn.invitationLink(token)))
    expect([page.status, page.text.includes(email), page.text.includes("The org")]).toEqual([200, true, true])
    const form = { token, name: "Mia", password: PASSWORD }
    expect((await mia.post("/auth/invitation", { ...form, password: "short" })).status).toBe(422)
    expect((await mia.post("/auth/invitation", form)).status).toBe(303)
    expect(await tenantOf(mia)).toBe(tenant)
    const members = await server.fleet.tenant(tenant).members.list()
    expect(members.members.find((each) => each.email === email)?.role).toBe("admin")
    expect((await server.visitor().post("/auth/invitation", form)).status).toBe(410)
    expect((await server.visitor().get("/auth/invitation?token=fpi_x")).status).toBe(410)
  })

  test("of somebody with an account asks them to sign in, and never sets their password", async () => {
    const server = await signInServer(db.database)
    const [first, second] = [await organisation(server, "first"), await organisation(server, "second")]
    const mia = await member(server, first)
    const { token } = await server.fleet.tenant(second).invitations.create({ email: testEmail("mia") })
    const path = `/auth/invitation?token=${token}`
    const thief = server.visitor()
    expect((await thief.get(path)).text).toContain("You have an account with this address")
    const stolen = await thief.post("/auth/invitation", { token, name: "Eve", password: "another password of a thief" })
    expect(stolen.location).toBe(`/auth/sign-in?to=${encodeURIComponent(path)}`)
    const signedIn = await thief.post("/auth/sign-in", {
      email: testEmail("mia"),
      password: "another password of a thief",
    })
    expect(signedIn.status).toBe(401)
    expect((await mia.post("/auth/invitation", { token })).status).toBe(303)
    expect(await tenantOf(mia)).toBe(second)
  })

  test("of another address is refused to who is signed in", async () => {
    const server = await signInServer(db.database)
    const tenant = await organisation(server)
    const mia = await member(server, tenant)
    await member(server, tenant, { email: testEmail("ben") })
    const { token } = await server.fleet
      .tenant(await organisation(server, "second"))
      .invitations.create({ email: testEmail("ben") })
    expect((await mia.post("/auth/invitation", { token })).location).toContain("/auth/sign-in")
  })
})

test("somebody in two organisations chooses, and is asked where nothing is chosen", async () => {
  const server = await signInServer(db.database)
  const [first, second] = [await organisation(server, "first"), await organisation(server, "second")]
  const mia = await member(server, first)
  await member(server, second, { email: testEmail("ben") })
  const user = await server.fleet.people.find(testEmail("mia"))
  await server.fleet.tenant(second).members.add(user?.id ?? "", "member")
  const page = await mia.get("/auth/organisations")
  expect([page.text.includes("The first"), page.text.includes("The second")]).toEqual([true, true])
  const known = server.visitor()
  for (const [name, value] of mia.cookies) known.cookies.set(name, value)
  expect((await mia.post("/auth/organisations", { tenant: second, to: "/" })).location).toBe("/")
  // The token that was known before the choice is worth nothing after it.
  expect([await tenantOf(mia), await tenantOf(known)]).toEqual([second, undefined])
  const others = await organisation(server, "others")
  expect((await mia.post("/auth/organisations", { tenant: others })).status).toBe(404)
  expect((await mia.post("/auth/organisations", { tenant: "no_such_tenant" })).status).toBe(404)
  expect(await tenantOf(mia)).toBe(second)
  await server.fleet.people.choose(user?.id ?? "", undefined)
  const again = await server.visitor().post("/auth/sign-in", { email: testEmail("mia"), password: PASSWORD, to: "/" })
  expect(again.location).toBe("/auth/organisations?to=%2F")
})

describe("a forgotten password", () => {
  test("is replaced by a mail's link, once, and all sessions end", async () => {
    const server = await signInServer(db.database)
    const mia = await member(server, await organisation(server))
    const email = testEmail("mia")
    expect((await server.visitor().post("/auth/reset", { email })).status).toBe(200)
    await server.signIn.settled()
    const [mail] = server.mails
    expect(mail?.to).toBe(email)
    const token = tokenIn(mail?.text ?? "")
    const fresh = "a much better password"
    const visitor = server.visitor()
    expect((await visitor.get(linkIn(mail?.text ?? ""))).status).toBe(200)
    const set = await visitor.post("/auth/reset/new", { token, password: fresh })
    expect(set.location).toBe("/auth/sign-in?done=reset")
    expect(await tenantOf(mia)).toBeUndefined()
    expect((await visitor.post("/auth/reset/new", { token, password: "yet another password" })).status).toBe(410)
    expect((await visitor.post("/auth/sign-in", { email, password: PASSWORD })).status).toBe(401)
    expect((await visitor.post("/auth/sign-in", { email, password: fresh })).status).toBe(303)
  })

  test("answers the same for an address that nobody has, and sends nothing", async () => {
    const server = await signInServer(db.database)
    await member(server, await organisation(server))
    const known = await server.visitor().post("/auth/reset", { email: testEmail("mia") })
    const unknown = await server.visitor().post("/auth/reset", { email: testEmail("nobody") })
    await server.signIn.settled()
    expect([unknown.status, unknown.text]).toEqual([known.status, known.text])
    expect(server.mails.map(({ to }) => to)).toEqual([testEmail("mia")])
  })

  test("the token of its mail is kept as a hash", async () => {
    const server = await signInServer(db.database)
    await member(server, await organisation(server))
    await server.visitor().post("/auth/reset", { email: testEmail("mia") })
    await server.signIn.settled()
    const rows = await db.database.query<{ text: string }>(
      "select verification::text as text from fleetprompt_auth.verification",
    )
    expect(rows.length).toBeGreaterThan(0)
    expect(rows.map(({ text }) => text).join(" ")).not.toContain(tokenIn(server.mails[0]?.text ?? ""))
  })
})

test("the password is changed with the current one, and other sessions end", async () => {
  const server = await signInServer(db.database)
  const tenant = await organisation(server)
  const mia = await member(server, tenant)
  const elsewhere = server.visitor()
  await elsewhere.post("/auth/sign-in", { email: testEmail("mia"), password: PASSWORD })
  const fresh = "a much better password"
  const wrong = await mia.post("/auth/password", { current: "not the current one", password: fresh })
  expect([wrong.status, wrong.text.includes("another one")]).toEqual([422, true])
  const before = [...mia.cookies.values()]
  expect((await mia.post("/auth/password", { current: PASSWORD, password: fresh })).location).toBe(
    "/auth/account?done=password",
  )
  expect([...mia.cookies.values()]).not.toEqual(before)
  expect([await tenantOf(mia), await tenantOf(elsewhere)]).toEqual([tenant, undefined])
  expect((await elsewhere.post("/auth/sign-in", { email: testEmail("mia"), password: PASSWORD })).status).toBe(401)
  expect((await elsewhere.post("/auth/sign-in", { email: testEmail("mia"), password: fresh })).status).toBe(303)
})

describe("signing up by oneself", () => {
  test("is not there where it is not open", async () => {
    const server = await signInServer(db.database)
    expect((await server.visitor().get("/auth/sign-up")).status).toBe(404)
    expect((await server.visitor().get("/auth/sign-in")).text).not.toContain("/auth/sign-up")
  })

  test("shows the address to be theirs, then makes an organisation", async () => {
    const server = await signInServer(db.database, { signUp: "open" })
    const email = testEmail("zoe")
    const zoe = server.visitor()
    expect((await zoe.post("/auth/sign-up", { email })).status).toBe(200)
    await server.signIn.settled()
    const token = tokenIn(server.mails[0]?.text ?? "")
    expect((await zoe.get(linkIn(server.mails[0]?.text ?? ""))).text).toContain(email)
    const tenant = await organisation(server, "taken")
    const form = { token, organisation: "Zoo", name: "Zoe", password: PASSWORD }
    const taken = await zoe.post("/auth/sign-up/finish", { ...form, slug: tenant })
    expect([taken.status, taken.text.includes("taken")]).toEqual([422, true])
    const slug = `zoo_${tenant.slice(-8)}`
    expect((await zoe.post("/auth/sign-up/finish", { ...form, slug })).status).toBe(303)
    expect(await tenantOf(zoe)).toBe(slug)
    expect((await zoe.post("/auth/sign-up/finish", { ...form, slug: `${slug}2` })).status).toBe(410)
  })

  test("answers the same for an address with an account, which is told by mail", async () => {
    const server = await signInServer(db.database, { signUp: "open" })
    await member(server, await organisation(server))
    const known = await server.visitor().post("/auth/sign-up", { email: testEmail("mia") })
    const unknown = await server.visitor().post("/auth/sign-up", { email: testEmail("new") })
    await server.signIn.settled()
    expect([known.status, known.text]).toEqual([unknown.status, unknown.text])
    const subjects = server.mails.map(({ to, subject }) => [to === testEmail("mia"), subject])
    expect(subjects).toContainEqual([true, "You have a FleetPrompt account already"])
    expect(subjects).toContainEqual([false, "Finish signing up for FleetPrompt"])
  })
})

test("one sees where one is signed in, and ends the other sessions", async () => {
  const server = await signInServer(db.database, { addressOf: clientAddressOf })
  const tenant = await organisation(server)
  const mia = await member(server, tenant)
  const [one, other] = [server.visitor(), server.visitor()]
  const browser = "Mozilla/5.0 (Windows NT 10.0; rv:130.0) Gecko/20100101 Firefox/130.0"
  for (const each of [one, other]) {
    await each.post(
      "/auth/sign-in",
      { email: testEmail("mia"), password: PASSWORD },
      { origin: server.url, "user-agent": browser },
    )
  }
  const { text } = await mia.get("/auth/account")
  expect(text.match(/Firefox on Windows/g)).toHaveLength(2)
  expect(text).toContain("127.0.0.1")
  await one.post("/auth/sessions", { end: "others" })
  expect([await tenantOf(one), await tenantOf(other), await tenantOf(mia)]).toEqual([tenant, undefined, undefined])
  await one.post("/auth/sessions", { end: "all" })
  expect(await tenantOf(one)).toBeUndefined()
})

test("what people do at sign-in is in the platform's audit log, and tries in their name as well", async () => {
  const server = await signInServer(db.database)
  const mia = await member(server, await organisation(server))
  await mia.post("/auth/sign-in", { email: testEmail("mia"), password: "not the password" })
  await server.signIn.settled()
  await mia.post("/auth/sign-out", {})
  const user = await server.fleet.people.find(testEmail("mia"))
  const found = await server.fleet.audit.list({ resource: `user:${user?.id}` })
  const deeds = found.entries.map(({ action, outcome }) => `${action} ${outcome}`)
  expect(deeds).toEqual(expect.arrayContaining(["session.open done", "session.open denied", "session.end done"]))
})

test("every route of sign-in says why it is open", async () => {
  const server = await signInServer(db.database, { signUp: "open" })
  const routes = server.signIn.routes.routes.filter(({ method }) => method !== "ALL")
  const said = new Map<string, number>()
  for (const { method, path, handler } of routes) {
    const name = `${method} ${path}`
    said.set(name, (said.get(name) ?? 0) + (accessOf(handler)?.kind === "open" ? 1 : 0))
  }
  expect(said.size).toBeGreaterThan(20)
  expect([...said].filter(([, count]) => count !== 1)).toEqual([])
})
