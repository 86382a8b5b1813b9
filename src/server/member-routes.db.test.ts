import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type SendAs, sendAs } from "../../test/support/http-people.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet, type TestFleet, testSlug } from "../../test/support/test-fleet.ts"
import type { Principal } from "../access/principal.ts"
import type { MemberRole } from "../store/memberships.ts"
import type { FetchHandlerOptions } from "./fetch-handler.ts"
import type { InvitationMail } from "./invitation-mail.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

function address(name: string): string {
  return `${name}.${testSlug()}@example.com`
}

interface Site extends TestFleet {
  readonly send: SendAs
  readonly owner: Principal
  /** Makes a person, in a role of the tenant if one is given; as what they are then. */
  readonly person: (name: string, role?: MemberRole) => Promise<Principal>
}

async function site(options: Partial<FetchHandlerOptions> = {}): Promise<Site> {
  const started = await testFleet(db.database, { worker: false })
  const { fleet, tenant } = started
  const person = async (name: string, role?: MemberRole): Promise<Principal> => {
    const user = await fleet.people.create({ email: address(name), name })
    if (role && (await tenant.organisation.get())) await tenant.members.add(user.id, role)
    else if (role)
      await fleet.organisations.create({ tenant: tenant.slug, name: "Acme", ownerId: user.id, of: "existing" })
    return principal(user.id)
  }
  const principal = async (id: string): Promise<Principal> => {
    const found = await fleet.people.principalOf(id)
    if (!found) throw new Error("expected somebody")
    return found
  }
  return { ...started, send: sendAs(fleet, options), person, owner: await person("anna", "owner") }
}

describe("the caller", () => {
  test("learns who they are and what they may", async () => {
    const { send, owner, person, tenant } = await site()
    const mia = await person("mia", "member")
    const { status, body } = await send(mia, "GET", "/v1/me")
    expect(status).toBe(200)
    expect(body).toMatchObject({ kind: "user", id: mia.id, tenant: tenant.slug, role: "member", email: address("mia") })
    expect(body["permissions"]).toContain("signals:read")
    expect(body["permissions"]).not.toContain("members:add")
    expect((await send(owner, "GET", "/v1/me")).body["permissions"]).toContain("members:add")
    expect((await send(undefined, "GET", "/v1/me")).status).toBe(401)
  })

  test("who is in no organisation sees that, and nothing of any tenant", async () => {
    const { send, person } = await site()
    const otto = await person("otto")
    expect((await send(otto, "GET", "/v1/me")).body).toMatchObject({ tenant: null, role: null, permissions: [] })
    expect((await send(otto, "GET", "/v1/me/organisations")).body).toEqual({ organisations: [] })
    expect((await send(otto, "GET", "/v1/signals")).body).toMatchObject({ status: 403, code: "forbidden" })
    const opal: Principal = { kind: "operator", id: "opal", tenant: "*", role: "operator" }
    expect((await send(opal, "GET", "/v1/signals")).body).toMatchObject({ status: 403, code: "forbidden" })
    expect((await send(opal, "GET", "/v1/me")).body).toMatchObject({ tenant: null, role: "operator" })
  })

  test("chooses among their own organisations alone", async () => {
    const { send, owner, fleet, tenant } = await site()
    const second = testSlug("second")
    await fleet.organisations.create({ tenant: second, name: "Second", ownerId: owner.id })
    const other = testSlug("other")
    const olga = await fleet.people.create({ email: address("olga"), name: "Olga" })
    await fleet.organisations.create({ tenant: other, name: "Other", ownerId: olga.id })
    expect((await send(owner, "GET", "/v1/me/organisations")).body["organisations"]).toHaveLength(2)
    expect((await send(owner, "PUT", "/v1/me/organisation", { tenant: tenant.slug })).status).toBe(204)
    expect(await fleet.people.principalOf(owner.id)).toMatchObject({ tenant: tenant.slug })
    const refused = await send(owner, "PUT", "/v1/me/organisation", { tenant: other })
    const unknown = await send(owner, "PUT", "/v1/me/organisation", { tenant: testSlug("none") })
    expect(refused).toEqual(unknown)
    expect(refused).toMatchObject({ status: 404, body: { code: "not_found" } })
    expect((await send(owner, "PUT", "/v1/me/organisation", { tenant: 7 })).status).toBe(400)
    expect((await send(owner, "PUT", "/v1/me/organisation", { tenant: null })).status).toBe(204)
  })

  test("that is a key has no organisations of its own", async () => {
    const { send, tenant } = await site()
    const key: Principal = { kind: "api_key", id: "k", tenant: tenant.slug, role: "owner", scopes: ["signals:read"] }
    expect((await send(key, "GET", "/v1/me")).body).toMatchObject({
      kind: "api_key",
      scopes: ["signals:read"],
      permissions: ["signals:read"],
    })
    expect((await send(key, "GET", "/v1/me/organisations")).status).toBe(403)
    expect((await send(key, "POST", "/v1/invitations/accept", { token: "x" })).status).toBe(403)
  })
})

describe("members", () => {
  test("are listed, added, changed and removed by who may", async () => {
    const { send, owner, person } = await site()
    const mia = await person("mia")
    expect(await send(owner, "POST", "/v1/members", { userId: mia.id, role: "member" })).toMatchObject({
      status: 201,
      body: { userId: mia.id, role: "member", email: address("mia") },
    })
    expect((await send(owner, "GET", "/v1/members?limit=1")).body).toMatchObject({
      members: [{}],
      next: expect.any(String),
    })
    expect((await send(owner, "GET", "/v1/members?limit=x")).status).toBe(422)
    expect((await send(owner, "PATCH", `/v1/members/${mia.id}`, { role: "admin" })).body).toMatchObject({
      role: "admin",
    })
    expect((await send(owner, "PATCH", `/v1/members/${mia.id}`, { role: "operator" })).status).toBe(422)
    expect((await send(owner, "PATCH", `/v1/members/${owner.id}`, { role: "admin" })).body).toMatchObject({
      status: 409,
      code: "last_owner",
    })
    expect((await send(owner, "DELETE", `/v1/members/${mia.id}`)).status).toBe(204)
    expect((await send(owner, "DELETE", `/v1/members/${mia.id}`)).body).toMatchObject({
      status: 404,
      code: "member_unknown",
    })
  })

  test("of another organisation are added by who is in that one too; to others they are nobody", async () => {
    const { send, owner, fleet, tenant } = await site()
    const olga = await fleet.people.create({ email: address("olga"), name: "Olga" })
    const other = testSlug("other")
    await fleet.organisations.create({ tenant: other, name: "Other", ownerId: olga.id })
    const add = (userId: string, by = owner) => send(by, "POST", "/v1/members", { userId, role: "member" })
    const refused = await add(olga.id)
    expect(refused).toEqual(await add("0199d3a5-0000-7000-8000-000000000001"))
    expect(refused).toMatchObject({ status: 404, body: { code: "user_unknown" } })
    const host: Principal = { kind: "host", id: olga.id, tenant: tenant.slug, role: "owner" }
    expect(await add(olga.id, host)).toEqual(refused)
    expect(await fleet.people.organisationsOf(olga.id)).toHaveLength(1)
    await fleet.tenant(other).members.add(owner.id, "member")
    expect(await add(olga.id)).toMatchObject({ status: 201, body: { email: address("olga") } })
    expect(await add(olga.id)).toMatchObject({ status: 409, body: { code: "member_exists" } })
  })

  test("an admin makes and removes no owner", async () => {
    const { send, owner, person } = await site()
    const [adam, mia] = [await person("adam", "admin"), await person("mia", "member")]
    for (const [method, path, body] of [
      ["PATCH", `/v1/members/${mia.id}`, { role: "owner" }],
      ["PATCH", `/v1/members/${adam.id}`, { role: "owner" }],
      ["PATCH", `/v1/members/${owner.id}`, { role: "member" }],
      ["DELETE", `/v1/members/${owner.id}`, undefined],
      ["POST", "/v1/invitations", { email: address("new"), role: "owner" }],
    ] as const) {
      expect(await send(adam, method, path, body), `${method} ${path}`).toMatchObject({
        status: 403,
        body: { code: "forbidden" },
      })
    }
    expect((await send(adam, "PATCH", `/v1/members/${mia.id}`, { role: "admin" })).status).toBe(200)
    expect((await send(adam, "DELETE", `/v1/members/${mia.id}`)).status).toBe(204)
  })

  test("may leave, and remove nobody else", async () => {
    const { send, person, owner } = await site()
    const [mia, otto] = [await person("mia", "member"), await person("otto", "member")]
    expect((await send(mia, "DELETE", `/v1/members/${otto.id}`)).status).toBe(403)
    expect((await send(mia, "DELETE", `/v1/members/${mia.id}`)).status).toBe(204)
    expect((await send(owner, "DELETE", `/v1/members/${owner.id}`)).body).toMatchObject({ code: "last_owner" })
  })

  test("of another tenant are not to be seen or changed", async () => {
    const { send, owner, fleet, person } = await site()
    const mia = await person("mia", "member")
    const olga = await fleet.people.create({ email: address("olga"), name: "Olga" })
    const other = testSlug("other")
    await fleet.organisations.create({ tenant: other, name: "Other", ownerId: olga.id })
    const foreign = await fleet.people.principalOf(olga.id)
    for (const [method, path] of [
      ["PATCH", `/v1/members/${mia.id}`],
      ["DELETE", `/v1/members/${owner.id}`],
    ] as const) {
      expect((await send(foreign, method, path, { role: "admin" })).body).toMatchObject({ code: "member_unknown" })
    }
    expect(JSON.stringify((await send(foreign, "GET", "/v1/members")).body)).not.toContain(mia.id)
  })

  test("the organisation is read and renamed", async () => {
    const { send, owner, person, tenant } = await site()
    const mia = await person("mia", "member")
    expect((await send(mia, "GET", "/v1/organisation")).body).toMatchObject({ tenant: tenant.slug, name: "Acme" })
    expect((await send(mia, "PATCH", "/v1/organisation", { name: "Mine" })).status).toBe(403)
    expect((await send(owner, "PATCH", "/v1/organisation", { name: "Acme Ltd" })).body).toMatchObject({
      name: "Acme Ltd",
    })
    expect((await send(owner, "PATCH", "/v1/organisation", { name: "" })).body).toMatchObject({
      code: "person_invalid",
      path: "name",
    })
  })

  test.each(["", "[]", "null", "{", '"text"'])("a body that is no object is refused: %j", async (body) => {
    const { fleet, owner } = await site()
    const { createFetchHandler } = await import("./fetch-handler.ts")
    const handler = createFetchHandler(fleet, { authenticate: () => owner })
    const response = await handler.fetch(new Request("http://localhost/v1/members", { method: "POST", body }))
    handler.close()
    expect([response.status, await response.json()]).toMatchObject([400, { code: "body_malformed" }])
  })
})

describe("an invitation", () => {
  test("is accepted by the person with the address, once", async () => {
    const { send, owner, person, fleet, tenant } = await site()
    const { status, body } = await send(owner, "POST", "/v1/invitations", { email: address("MIA"), role: "admin" })
    expect([status, body]).toMatchObject([
      201,
      { invitation: { email: address("mia"), role: "admin", status: "open" } },
    ])
    const token = String(body["token"])
    expect(await fleet.people.invitationOf(token)).toEqual({
      tenant: tenant.slug,
      organisation: "Acme",
      email: address("mia"),
      role: "admin",
    })
    const [mia, otto] = [await person("mia"), await person("otto")]
    expect((await send(otto, "POST", "/v1/invitations/accept", { token })).body).toMatchObject({ code: "forbidden" })
    expect((await send(mia, "POST", "/v1/invitations/accept", { token })).body).toEqual({
      tenant: tenant.slug,
      role: "admin",
    })
    expect(await fleet.people.principalOf(mia.id)).toMatchObject({ tenant: tenant.slug, role: "admin" })
    expect((await send(mia, "POST", "/v1/invitations/accept", { token })).body).toMatchObject({
      status: 410,
      code: "invitation_invalid",
    })
    expect(await fleet.people.invitationOf(token)).toBeUndefined()
    expect((await send(owner, "GET", "/v1/invitations")).body).toMatchObject({
      invitations: [{ status: "accepted", sends: 1 }],
      next: null,
    })
  })

  test("that was replaced, sent again, revoked or is past its time opens nothing", async () => {
    const { send, owner, person, tenant, fleet } = await site()
    const mia = await person("mia")
    const invite = async () => (await send(owner, "POST", "/v1/invitations", { email: address("mia") })).body
    const accept = async (token: unknown) => (await send(mia, "POST", "/v1/invitations/accept", { token })).body["code"]
    const first = await invite()
    const second = await invite()
    expect(await accept(first["token"])).toBe("invitation_invalid")
    const { id } = second["invitation"] as { id: string }
    const third = (await send(owner, "POST", `/v1/invitations/${id}/resend`)).body
    expect(third).toMatchObject({ invitation: { id, sends: 2 } })
    expect(await accept(second["token"])).toBe("invitation_invalid")
    expect((await send(owner, "DELETE", `/v1/invitations/${id}`)).status).toBe(204)
    expect(await accept(third["token"])).toBe("invitation_invalid")
    expect((await send(owner, "DELETE", `/v1/invitations/${id}`)).status).toBe(410)
    expect((await send(owner, "POST", `/v1/invitations/${id}/resend`)).status).toBe(410)
    const short = await tenant.invitations.create({ email: address("mia"), livesMs: 1 })
    await db.database.query("select pg_sleep(0.01)")
    expect(await accept(short.token)).toBe("invitation_invalid")
    const again = await tenant.invitations.resend(short.invitation.id)
    await db.database.query(
      "update fleetprompt.invitations set expires_at = now() + interval '1 hour' where tenant = $1 and id = $2::text::uuid",
      [tenant.slug, short.invitation.id],
    )
    expect((await fleet.people.invitationOf(again.token))?.email).toBe(address("mia"))
  })

  test("that is made up is refused the same way, whatever it names", async () => {
    const { send, owner, person, tenant } = await site()
    const mia = await person("mia")
    const { token } = (await send(owner, "POST", "/v1/invitations", { email: address("mia") })).body
    const [head = "", id = "", secret = ""] = String(token).split(".")
    const other = secret.startsWith("A") ? `B${secret.slice(1)}` : `A${secret.slice(1)}`
    const answers = await Promise.all(
      [
        "",
        "fpi_",
        `${head}.${id}.${other}`,
        `${head}.${id}.${secret}x`,
        `${head}.00000000-0000-7000-8000-000000000000.${secret}`,
        `fpi_${testSlug("none")}.${id}.${secret}`,
        `fpi_public.${id}.${secret}`,
        `fpi_${tenant.slug}'--.${id}.${secret}`,
      ].map((made) => send(mia, "POST", "/v1/invitations/accept", { token: made })),
    )
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1)
    expect(answers[0]).toMatchObject({ status: 410, body: { code: "invitation_invalid" } })
  })

  test("goes to its address alone where mails are sent, and stands when the mail fails", async () => {
    const mails: InvitationMail[] = []
    const errors: unknown[] = []
    let fails = false
    const sendInvitation = async (mail: InvitationMail): Promise<void> => {
      if (fails) throw new Error("the mail service is down")
      mails.push(mail)
    }
    const { send, owner, tenant } = await site({ sendInvitation, onError: (error) => void errors.push(error) })
    const sent = await send(owner, "POST", "/v1/invitations", { email: address("mia") })
    expect(sent.body).toEqual({ invitation: expect.objectContaining({ email: address("mia") }), isSent: true })
    expect(mails).toMatchObject([{ tenant: tenant.slug, organisation: "Acme", token: expect.stringMatching(/^fpi_/) }])
    fails = true
    expect((await send(owner, "POST", "/v1/invitations", { email: address("otto") })).body).toMatchObject({
      isSent: false,
    })
    expect(errors).toHaveLength(1)
    expect(JSON.stringify([sent.body, (await send(owner, "GET", "/v1/invitations")).body])).not.toContain("fpi_")
  })

  test("of a member, of nobody, or once too often is refused", async () => {
    const { send, owner, tenant } = await site()
    expect((await send(owner, "POST", "/v1/invitations", { email: address("anna") })).body).toMatchObject({
      code: "member_exists",
    })
    expect((await send(owner, "POST", "/v1/invitations", { email: "nobody" })).body).toMatchObject({
      code: "person_invalid",
      path: "email",
    })
    const { invitation } = await tenant.invitations.create({ email: address("mia") })
    for (let sends = 1; sends < 10; sends++) await tenant.invitations.resend(invitation.id)
    await expect(tenant.invitations.resend(invitation.id)).rejects.toMatchObject({ code: "invitations_full" })
    await expect(tenant.invitations.create({ email: address("mia"), livesMs: 31 * 86_400_000 })).rejects.toMatchObject({
      code: "person_invalid",
    })
  })

  test("accepted many times at once makes one member", async () => {
    const { person, tenant, fleet } = await site()
    const mia = await person("mia")
    const { token } = await tenant.invitations.create({ email: address("mia") })
    const accepted = await Promise.allSettled(Array.from({ length: 6 }, () => fleet.people.accept(token, mia.id)))
    expect(accepted.filter(({ status }) => status === "fulfilled")).toHaveLength(1)
  })

  test("of another tenant cannot be revoked or sent again", async () => {
    const { send, tenant, fleet } = await site()
    const { invitation } = await tenant.invitations.create({ email: address("mia") })
    const olga = await fleet.people.create({ email: address("olga"), name: "Olga" })
    await fleet.organisations.create({ tenant: testSlug("other"), name: "Other", ownerId: olga.id })
    const foreign = await fleet.people.principalOf(olga.id)
    expect((await send(foreign, "DELETE", `/v1/invitations/${invitation.id}`)).status).toBe(410)
    expect((await send(foreign, "POST", `/v1/invitations/${invitation.id}/resend`)).status).toBe(410)
    expect((await tenant.invitations.list()).invitations).toMatchObject([{ status: "open" }])
  })
})
