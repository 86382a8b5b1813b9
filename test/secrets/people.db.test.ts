import { createHash } from "node:crypto"
import { expect, onTestFinished, test } from "vitest"
import { apiKeyAuthenticator } from "../../src/access/api-key-authenticator.ts"
import { firstOf } from "../../src/access/authenticate.ts"
import { createFetchHandler, type FetchHandler } from "../../src/server/fetch-handler.ts"
import { type OidcIssuer, oidcIssuer } from "../sign-in/oidc-issuer.ts"
import { SamlIdp } from "../sign-in/saml-idp.ts"
import { SECRET, type SignInServer, signInServer } from "../sign-in/sign-in-server.ts"
import { type Answer, tokenIn, Visitor } from "../sign-in/visitor.ts"
import { archiveOf, openToDump } from "./dump.ts"
import { noteAnswer, noteMade, noteSession } from "./people-notes.ts"
import { captureConsole, listenToAll, newRecording, type Recording } from "./recording.ts"
import { plant, type Planted, scan, type Told } from "./scan.ts"
import { issuedToken } from "./token-issuer.ts"

const FIVE_MINUTES_MS = 300_000
const MIA = "mia@acme.example"

/** What people type in. */
function plantPasswords() {
  return {
    first: plant("the first owner's password"),
    wrong: plant("a password that is wrong"),
    changed: plant("a password that took another's place"),
    reset: plant("a password set by a mail's link"),
    member: plant("the password of somebody invited"),
    signUp: plant("the password of somebody who signed up"),
  }
}

interface Run extends Recording {
  readonly server: SignInServer
  readonly provider: OidcIssuer
  readonly idp: SamlIdp
  readonly passwords: ReturnType<typeof plantPasswords>
  /** Notes all that is kept at this moment: what is good once is gone when it was used. */
  readonly look: () => Promise<void>
}

async function mailedToken(run: Run, name: string): Promise<string> {
  await run.server.signIn.settled()
  await run.look()
  const token = tokenIn(run.server.mails.at(-1)?.text ?? "")
  noteMade(run, name, token, token.slice(-40))
  return token
}

/** The first owner comes, mistypes, changes a password and forgets it. */
async function ownPasswords(run: Run): Promise<Visitor> {
  const { server, passwords } = run
  const token = noteMade(run, "the first owner's link", tokenIn((await server.signIn.firstOwnerLink()) ?? ""))
  await run.look()
  const mia = server.visitor()
  const founding = {
    organisation: "Acme",
    slug: "acme",
    name: "Mia",
    email: MIA,
    token,
    password: passwords.first.text,
  }
  noteAnswer(run, await mia.get(`/auth/first?token=${token}`), token)
  noteAnswer(run, await mia.post("/auth/first", { ...founding, slug: "No slug" }), token)
  expect(noteAnswer(run, await mia.post("/auth/first", founding)).status).toBe(303)
  noteSession(run, mia)
  const wrong = { email: MIA, password: passwords.wrong.text }
  expect(noteAnswer(run, await server.visitor().post("/auth/sign-in", wrong)).status).toBe(401)
  const change = { current: passwords.first.text, password: passwords.changed.text }
  noteAnswer(run, await mia.post("/auth/password", { ...change, current: passwords.wrong.text }))
  noteAnswer(run, await mia.post("/auth/password", { ...change, password: "short" }))
  expect(noteAnswer(run, await mia.post("/auth/password", change)).location).toBe("/auth/account?done=password")
  noteSession(run, mia)
  await mia.post("/auth/reset", { email: MIA })
  const reset = await mailedToken(run, "the token of a mail that sets a password")
  noteAnswer(run, await mia.get(`/auth/reset/new?token=${reset}`), reset)
  noteAnswer(run, await mia.post("/auth/reset/new", { token: reset, password: "short" }), reset)
  const fresh = { token: reset, password: passwords.reset.text }
  expect(noteAnswer(run, await mia.post("/auth/reset/new", fresh)).location).toBe("/auth/sign-in?done=reset")
  expect(noteAnswer(run, await mia.post("/auth/reset/new", fresh)).status).toBe(410)
  const back = { email: MIA, password: passwords.reset.text }
  expect(noteAnswer(run, await mia.post("/auth/sign-in", back)).status).toBe(303)
  noteSession(run, mia)
  noteAnswer(run, await mia.get("/auth/account"))
  return mia
}

/** Somebody comes by an invitation, and somebody by themselves. */
async function joining(run: Run, mia: Visitor, handler: FetchHandler): Promise<void> {
  const { server, passwords } = run
  await call(run, handler, mia, "POST", "/v1/invitations", { email: "ben@acme.example" })
  const token = await mailedToken(run, "an invitation's token")
  const ben = server.visitor()
  const joined = { token, name: "Ben", password: passwords.member.text }
  noteAnswer(run, await ben.get(`/auth/invitation?token=${token}`), token)
  noteAnswer(run, await ben.post("/auth/invitation", { ...joined, name: "" }), token)
  expect(noteAnswer(run, await ben.post("/auth/invitation", joined)).status).toBe(303)
  noteSession(run, ben)
  noteAnswer(run, await ben.post("/auth/sign-out", {}))
  const zoe = server.visitor()
  await zoe.post("/auth/sign-up", { email: "zoe@zoo.example" })
  const link = await mailedToken(run, "the token of a mail that signs up")
  const founding = { token: link, organisation: "Zoo", slug: "zoo", name: "Zoe", password: passwords.signUp.text }
  noteAnswer(run, await zoe.post("/auth/sign-up/finish", { ...founding, slug: "acme" }), link)
  expect(noteAnswer(run, await zoe.post("/auth/sign-up/finish", founding)).status).toBe(303)
  noteSession(run, zoe)
}

/** Mia comes by both of her providers. */
async function providers(run: Run): Promise<void> {
  const { server, provider, idp } = run
  provider.becomes({ sub: "mia-at-oidc", email: MIA, name: "Mia" })
  const byOidc = server.visitor()
  const there = new Visitor(provider.issuer)
  let at = noteAnswer(run, await byOidc.get("/auth/with/oidc")).location ?? ""
  for (let hop = 0; hop < 10 && (at.startsWith(provider.issuer) || at.startsWith("/")); hop++)
    at = (await there.get(at)).location ?? ""
  await run.look()
  const code = noteMade(run, "a provider's code", new URL(at).searchParams.get("code") ?? "")
  expect(noteAnswer(run, await byOidc.get(at), code).status).toBe(303)
  noteSession(run, byOidc)
  noteAnswer(run, await server.visitor().get(at), code)
  const bySaml = server.visitor()
  const begun = noteAnswer(run, await bySaml.get("/auth/with/saml"))
  const { id, relayState } = idp.requestIn(begun.location ?? "")
  const xml = idp.response({
    nameId: "mia-at-saml",
    email: MIA,
    audience: `${server.url}/auth/api/sso/saml2/sp/metadata?providerId=saml`,
    recipient: `${server.url}/auth/api/sso/saml2/sp/acs/saml`,
    inResponseTo: id,
    notBeforeMs: -60_000,
    notOnOrAfterMs: FIVE_MINUTES_MS,
  })
  noteMade(run, "a signature of SAML", /<ds:SignatureValue>([^<]+)</.exec(xml)?.[1]?.slice(0, 60) ?? "")
  const form = { SAMLResponse: Buffer.from(xml).toString("base64"), RelayState: relayState }
  const fromIdp = { origin: "https://idp.example" }
  expect(noteAnswer(run, await bySaml.post("/auth/api/sso/saml2/sp/acs/saml", form, fromIdp)).status).toBe(303)
  noteSession(run, bySaml)
  noteAnswer(run, await server.visitor().post("/auth/api/sso/saml2/sp/acs/saml", form, fromIdp))
}

/** Calls under /v1 in the name of a session, and keeps the answer. */
async function call(
  run: Recording,
  handler: FetchHandler,
  { cookies }: Visitor,
  method: string,
  path: string,
  body?: object,
): Promise<Answer> {
  const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ")
  return ask(run, handler, method, path, { cookie }, body)
}

async function ask(
  run: Recording & Partial<Run>,
  handler: FetchHandler,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body?: object,
): Promise<Answer> {
  const url = run.server?.url ?? ""
  const text = body && { body: JSON.stringify(body) }
  const response = await handler.fetch(
    new Request(`${url}${path}`, { method, headers: { origin: url, ...headers }, ...text }),
  )
  const { status, headers: answered } = response
  const answer = { status, headers: answered, text: await response.text(), location: null }
  // A key is in the answer to its making, and nowhere else.
  const key = /"key":"(fp_[^"]+)"/.exec(answer.text)?.[1]
  if (key !== undefined) noteMade(run, "an API key", key, key.slice(-32))
  return noteAnswer(run, answer, ...(key === undefined ? [] : [key]))
}

/** Programs come with keys and tokens, right and wrong ones. */
async function programs(run: Run, mia: Visitor, handler: FetchHandler, token: string): Promise<void> {
  const { text } = await call(run, handler, mia, "POST", "/v1/api-keys", { name: "import", role: "admin" })
  const { key, record } = JSON.parse(text) as { readonly key: string; readonly record: { readonly id: string } }
  await call(run, handler, mia, "POST", `/v1/api-keys/${record.id}/rotate`, {})
  for (const each of [key, token, `${key.slice(0, -1)}x`, `${token.slice(0, -4)}AAAA`])
    for (const path of ["/v1/signals", "/v1/me", "/v1/api-keys"])
      await ask(run, handler, "GET", path, { authorization: `Bearer ${each}` })
  await ask(run, handler, "GET", "/v1/signals", { "x-api-key": key })
  const paths = ["me", "me/organisations", "members", "invitations", "api-keys", "audit?limit=500", "audit/export"]
  for (const path of paths) expect((await call(run, handler, mia, "GET", `/v1/${path}`)).status).toBe(200)
}

test("no secret of people or programs comes out, nor is it kept", { timeout: FIVE_MINUTES_MS }, async () => {
  const recording = newRecording()
  const { made, told, tell } = recording
  captureConsole(recording)
  const { database, dump } = await openToDump()
  onTestFinished(() => database.close())
  const idp = new SamlIdp("idp")
  let provider: OidcIssuer | undefined
  const server = await signInServer(database, async (url) => {
    provider = await oidcIssuer(`${url}/auth/api/sso/callback/oidc`)
    const { issuer, client } = provider
    const base = { domains: ["acme.example"] }
    const { entityId, entryPoint } = idp
    return {
      signUp: "open",
      providers: [
        { ...base, kind: "oidc", id: "oidc", name: "One", issuer, ...client },
        {
          ...base,
          kind: "saml",
          id: "saml",
          name: "Other",
          entityId,
          entryPoint,
          certificates: [idp.key.certificate],
        },
      ],
    }
  })
  if (!provider) throw new Error("expected a provider")
  const metrics = listenToAll(server.fleet, recording)
  noteMade(recording, "the secret of sign-in", SECRET)
  noteMade(recording, "a client's secret", provider.client.clientSecret)
  noteMade(recording, "the key of SAML", idp.key.privateKey.split("\n")[1] ?? "")
  const passwords = plantPasswords()
  const kept: Told[] = []
  const look = async (): Promise<void> => void kept.push(...(await dump()))
  const run: Run = { ...recording, server, provider, idp, passwords, look }
  const { token, authenticate } = await issuedToken("acme")
  noteMade(run, "a token of an issuer", token, token.split(".")[2])
  const { sendInvitation } = server.signIn
  const handler = createFetchHandler(server.fleet, {
    authenticate: firstOf(apiKeyAuthenticator(server.fleet), authenticate, server.signIn.authenticate),
    limits: false,
    onError: (error) => tell("an error of the server", error),
    ...(sendInvitation && { sendInvitation }),
  })
  onTestFinished(() => handler.close())

  const mia = await ownPasswords(run)
  await joining(run, mia, handler)
  await providers(run)
  await programs(run, mia, handler, token)

  const { fleet } = server
  for (const each of server.faults) tell("an error of sign-in", each)
  tell("the platform's log", (await fleet.audit.list({ limit: 500 })).entries)
  tell("stats", await fleet.stats(), await fleet.health(), await metrics.text())
  for (const slug of ["acme", "zoo"]) tell("an archive", await archiveOf(fleet, slug))
  await look()
  const secrets: readonly Planted[] = [...Object.values(passwords), ...made]
  expect(scan([...told, ...kept], secrets)).toEqual([])

  // The run did what it was to do, and what it kept are hashes.
  const names = new Set(made.map(({ name }) => name))
  expect([...names].filter((name) => name.includes("token")).length).toBeGreaterThan(4)
  expect(made.every(({ text, core }) => core.length >= 16 && text.includes(core))).toBe(true)
  const [session] = made.filter(({ name }) => name === "a session's token").slice(-1)
  const hash = createHash("sha256")
    .update(session?.text ?? "")
    .digest("base64url")
  expect(kept.some(({ text }) => text.includes(hash))).toBe(true)
  for (const where of ["a page", "a span", "telemetry", "the platform's log", "an archive"])
    expect([where, told.some((each) => each.where === where)]).toEqual([where, true])
  // And a leak would have been seen.
  await database.query("update fleetprompt.users set name = $1 where email = $2", [passwords.reset.text, MIA])
  expect(scan(await dump(), secrets).map(({ secret }) => secret)).toContain(passwords.reset.name)
})
