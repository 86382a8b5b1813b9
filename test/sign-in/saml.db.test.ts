import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { testDatabase, type TestDatabase } from "../support/test-database.ts"
import { testSlug } from "../support/test-fleet.ts"
import { member, organisation, tenantOf, testEmail } from "./members.ts"
import { type AssertionFields, RSA_SHA1, SamlIdp, type Signing } from "./saml-idp.ts"
import { selfSigned } from "./self-signed.ts"
import { type SignInServer, signInServer } from "./sign-in-server.ts"
import type { Answer, Visitor } from "./visitor.ts"

const idp = new SamlIdp("idp")
const otherIdp = new SamlIdp("other-idp")
const MINUTE_MS = 60_000
const FROM_IDP = { origin: "https://idp.example" }

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

function samlServer(publicUrl?: string): Promise<SignInServer> {
  const provider = (each: SamlIdp, id: string) =>
    ({
      kind: "saml",
      id,
      name: id,
      domains: ["acme.example"],
      entityId: each.entityId,
      entryPoint: each.entryPoint,
      certificates: [each.key.certificate],
    }) as const
  return signInServer(db.database, {
    providers: [provider(idp, "acme"), provider(otherIdp, "other")],
    ...(publicUrl !== undefined && { publicUrl }),
  })
}

/** A sign-in that has begun, and what the provider would answer to it when all is right. */
interface Flow {
  readonly visitor: Visitor
  readonly relayState: string
  readonly fields: AssertionFields
}

async function begin(server: SignInServer, origin = server.url): Promise<Flow> {
  const visitor = server.visitor()
  const { location } = await visitor.get("/auth/with/acme?to=/%3Fpattern%3Da")
  const { id, relayState } = idp.requestIn(location ?? "")
  const fields = {
    nameId: testSlug("subject"),
    email: testEmail("mia"),
    audience: `${origin}/auth/api/sso/saml2/sp/metadata?providerId=acme`,
    recipient: `${origin}/auth/api/sso/saml2/sp/acs/acme`,
    inResponseTo: id,
    notBeforeMs: -MINUTE_MS,
    notOnOrAfterMs: 5 * MINUTE_MS,
  }
  return { visitor, relayState, fields }
}

function answer({ visitor, relayState }: Pick<Flow, "visitor" | "relayState">, xml: string): Promise<Answer> {
  const form = { SAMLResponse: Buffer.from(xml).toString("base64"), RelayState: relayState }
  return visitor.post("/auth/api/sso/saml2/sp/acs/acme", form, FROM_IDP)
}

/** Nobody was let in. */
async function expectRefused({ visitor }: Pick<Flow, "visitor">, { status, location }: Answer): Promise<void> {
  expect([status === 303 && location?.startsWith("/auth/sign-in?error="), status === 403].includes(true)).toBe(true)
  expect([...visitor.cookies.keys()].filter((name) => name.endsWith("session_token"))).toEqual([])
  expect(await tenantOf(visitor)).toBeUndefined()
}

describe("signing in by SAML", () => {
  test("lets an invited person in, and knows them again by subject", async () => {
    const server = await samlServer()
    const tenant = await organisation(server)
    await member(server, tenant)
    const flow = await begin(server)
    const first = await answer(flow, idp.response(flow.fields))
    expect([first.status, first.location]).toEqual([303, "/?pattern=a"])
    expect(await tenantOf(flow.visitor)).toBe(tenant)
    const later = await begin(server)
    expect((await answer(later, idp.response({ ...later.fields, email: testEmail("renamed") }))).status).toBe(303)
    expect(await tenantOf(later.visitor)).toBe(tenant)
  })

  test("has metadata for the provider, which ask for signed assertions", async () => {
    const server = await samlServer()
    await member(server, await organisation(server))
    const metadata = await server.visitor().get("/auth/api/sso/saml2/sp/metadata?providerId=acme")
    expect([metadata.status, metadata.text.includes('WantAssertionsSigned="true"')]).toEqual([200, true])
    expect((await server.visitor().get("/auth/api/sso/saml2/sp/metadata?providerId=nobody")).status).toBe(404)
  })

  const wrong: readonly (readonly [string, Partial<AssertionFields>, Partial<Signing>])[] = [
    ["signed with another key", {}, { key: selfSigned("idp") }],
    ["signed with another provider's key", {}, { key: otherIdp.key }],
    ["not signed", {}, { what: "nothing" }],
    ["whose response is signed and whose assertion is not", {}, { what: "response" }],
    ["signed with SHA-1", {}, { algorithm: RSA_SHA1 }],
    ["for another audience", { audience: "https://another.example/metadata" }, {}],
    [
      "for our other provider's audience",
      { audience: "https://fleet.example/auth/api/sso/saml2/sp/metadata?providerId=other" },
      {},
    ],
    ["for another recipient", { recipient: "https://another.example/acs" }, {}],
    ["that nobody asked for", { inResponseTo: undefined }, {}],
    ["to a request that never was", { inResponseTo: "_made-up" }, {}],
    ["that has ended", { notBeforeMs: -20 * MINUTE_MS, notOnOrAfterMs: -10 * MINUTE_MS }, {}],
    ["that has not begun", { notBeforeMs: 10 * MINUTE_MS, notOnOrAfterMs: 20 * MINUTE_MS }, {}],
    ["for an address of another domain", { email: "boss@other.example" }, {}],
  ]
  test.each(wrong)("refuses an assertion %s", async (_, fields, signing) => {
    const server = await samlServer()
    await member(server, await organisation(server))
    const flow = await begin(server)
    await expectRefused(flow, await answer(flow, idp.response({ ...flow.fields, ...fields }, signing)))
  })

  test("refuses an assertion that was changed after it was signed", async () => {
    const server = await samlServer()
    const tenant = await organisation(server)
    await member(server, tenant)
    await member(server, tenant, { email: testEmail("boss") })
    const flow = await begin(server)
    const xml = idp.response(flow.fields)
    await expectRefused(flow, await answer(flow, xml.replace(testEmail("mia"), testEmail("boss"))))
    const again = await begin(server)
    await expectRefused(
      again,
      await answer(again, idp.response(again.fields).replace(`>${again.fields.nameId}<`, ">boss<")),
    )
  })

  test("refuses an assertion that comes twice, to the same request or another", async () => {
    const server = await samlServer()
    const tenant = await organisation(server)
    await member(server, tenant)
    const flow = await begin(server)
    const xml = idp.response(flow.fields)
    expect((await answer(flow, xml)).status).toBe(303)
    expect(await tenantOf(flow.visitor)).toBe(tenant)
    const thief = server.visitor()
    await expectRefused({ visitor: thief }, await answer({ visitor: thief, relayState: flow.relayState }, xml))
    const other = await begin(server)
    await expectRefused(other, await answer(other, xml))
  })

  test("refuses another provider's assertion at this one's address, and this one's at another's", async () => {
    const server = await samlServer()
    await member(server, await organisation(server))
    const flow = await begin(server)
    await expectRefused(flow, await answer(flow, otherIdp.response(flow.fields)))
    const { visitor, relayState, fields } = await begin(server)
    const form = { SAMLResponse: Buffer.from(idp.response(fields)).toString("base64"), RelayState: relayState }
    await expectRefused({ visitor }, await visitor.post("/auth/api/sso/saml2/sp/acs/other", form, FROM_IDP))
  })
})

/** Puts a forged assertion in the place of the signed one, which is hidden elsewhere so that its signature still holds. */
const wrappings: Readonly<Record<string, (xml: string, forged: string) => string>> = {
  "the forged assertion before the signed one": (xml, forged) =>
    xml.replace("<saml:Assertion", `${forged}<saml:Assertion`),
  "the forged assertion after the signed one": (xml, forged) =>
    xml.replace("</samlp:Response>", `${forged}</samlp:Response>`),
  "the signed assertion within the forged one": (xml, forged) => {
    const genuine = genuineIn(xml)
    return xml.replace(genuine, forged.replace("</saml:Assertion>", `${genuine}</saml:Assertion>`))
  },
  "the signed assertion in the forged one's advice": (xml, forged) => {
    const genuine = genuineIn(xml)
    return xml.replace(
      genuine,
      forged.replace("<saml:AuthnStatement", `<saml:Advice>${genuine}</saml:Advice><saml:AuthnStatement`),
    )
  },
  "the signed assertion in extensions of the response": (xml, forged) => {
    const genuine = genuineIn(xml)
    return xml
      .replace(genuine, forged)
      .replace("<samlp:Status>", `<samlp:Extensions>${genuine}</samlp:Extensions><samlp:Status>`)
  },
  "the signature moved to the forged assertion, the signed one in its object": (xml, forged) => {
    const genuine = genuineIn(xml)
    const [signature = ""] = /<ds:Signature[\s\S]*<\/ds:Signature>/.exec(genuine) ?? []
    const holder = signature.replace(
      "</ds:Signature>",
      `<ds:Object>${genuine.replace(signature, "")}</ds:Object></ds:Signature>`,
    )
    return xml.replace(genuine, forged.replace("</saml:Issuer>", `</saml:Issuer>${holder}`))
  },
  "a whole signed response within a forged one": (xml, forged) => {
    const genuine = genuineIn(xml)
    const outer = xml.replace(genuine, forged)
    return outer.replace("<samlp:Status>", `<samlp:Extensions>${xml}</samlp:Extensions><samlp:Status>`)
  },
  "the forged assertion with the signed one's id": (xml, forged) => {
    const id = /<saml:Assertion[^>]* ID="([^"]+)"/.exec(xml)?.[1] ?? ""
    return xml.replace("<saml:Assertion", `${forged.replace(/ ID="[^"]+"/, ` ID="${id}"`)}<saml:Assertion`)
  },
}

function genuineIn(xml: string): string {
  return /<saml:Assertion[\s\S]*<\/saml:Assertion>/.exec(xml)?.[0] ?? ""
}

describe("a signed assertion that is wrapped into a forged answer is refused", () => {
  test.each(Object.keys(wrappings))("%s", async (kind) => {
    const server = await samlServer()
    const tenant = await organisation(server)
    await member(server, tenant)
    await member(server, tenant, { email: testEmail("boss") })
    const flow = await begin(server)
    const forged = idp.assertion({ ...flow.fields, nameId: "boss", email: testEmail("boss") })
    const xml = wrappings[kind]?.(idp.response(flow.fields), forged) ?? ""
    expect(xml).toContain(testEmail("boss"))
    await expectRefused(flow, await answer(flow, xml))
  })

  test("a document with entities of its own", async () => {
    const server = await samlServer()
    await member(server, await organisation(server))
    const flow = await begin(server)
    const xml = `<!DOCTYPE x [<!ENTITY who "boss">]>${idp.response(flow.fields)}`
    await expectRefused(flow, await answer(flow, xml))
    const bomb = `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>${idp.response(flow.fields).replace("Somebody", "&b;")}`
    await expectRefused(flow, await answer(flow, bomb))
  })

  test("a comment that cuts an address short", async () => {
    const server = await samlServer()
    const tenant = await organisation(server)
    const boss = await member(server, tenant, { email: testEmail("boss") })
    const flow = await begin(server)
    const xml = idp.response({ ...flow.fields, email: `${testEmail("boss")}<!-- -->.evil.example` })
    await expectRefused(flow, await answer(flow, xml))
    expect(await tenantOf(boss)).toBe(tenant)
  })
})

test("over https an answer is taken only from the browser that asked", async () => {
  const origin = "https://fleet.example"
  const server = await samlServer(origin)
  const tenant = await organisation(server)
  const { token } = await server.fleet.tenant(tenant).invitations.create({ email: testEmail("mia") })
  await server.visitor().post("/auth/invitation", { token, name: "Mia", password: "correct horse battery" }, { origin })
  const flow = await begin(server, origin)
  const xml = idp.response(flow.fields)
  const victim = server.visitor()
  const forced = await answer({ visitor: victim, relayState: flow.relayState }, xml)
  expect(forced.status).toBe(403)
  expect(victim.cookies.size).toBe(0)
  expect((await answer(flow, xml)).location).toBe("/?pattern=a")
  expect(await tenantOf(flow.visitor)).toBe(tenant)
})
