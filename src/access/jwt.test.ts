import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from "jose"
import { beforeAll, describe, expect, onTestFinished, test } from "vitest"
import { jwtAuthenticator, type JwtOptions } from "./jwt.ts"

const ISSUER = "https://login.example.com/"
const AUDIENCE = "fleetprompt"

/** Claims of which some are left out. */
type Claims = { readonly [Name in keyof JWTPayload]?: JWTPayload[Name] | undefined }

interface Signer {
  readonly kid: string
  readonly sign: (claims?: Claims, header?: object) => Promise<string>
  readonly jwk: Awaited<ReturnType<typeof exportJWK>>
  readonly pem: string
}

async function signer(kid: string, alg = "RS256"): Promise<Signer> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true })
  const sign = (claims: Claims = {}, header: object = {}): Promise<string> =>
    new SignJWT(without({ ...goodClaims(), ...claims })).setProtectedHeader({ alg, kid, ...header }).sign(privateKey)
  return { kid, sign, jwk: { ...(await exportJWK(publicKey)), kid, alg }, pem: await exportSPKI(publicKey) }
}

function goodClaims(): JWTPayload {
  return {
    iss: ISSUER,
    aud: AUDIENCE,
    sub: "person-1",
    tenant: "acme",
    role: "admin",
    iat: nowS(),
    exp: nowS() + 300,
  }
}

function without(claims: Claims): JWTPayload {
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined))
}

function nowS(): number {
  return Math.floor(Date.now() / 1000)
}

function requestWith(token: string): Request {
  return new Request("http://localhost/", { headers: { authorization: `Bearer ${token}` } })
}

let one: Signer
let two: Signer
beforeAll(async () => {
  one = await signer("one")
  two = await signer("two")
})

function authenticator(more: Partial<JwtOptions> = {}) {
  return jwtAuthenticator({ issuer: ISSUER, audience: AUDIENCE, keys: { keys: [one.jwk] }, ...more })
}

async function refusal(token: string, more: Partial<JwtOptions> = {}): Promise<unknown> {
  try {
    return await authenticator(more)(requestWith(token))
  } catch (error) {
    return error instanceof Error && "code" in error ? error.code : error
  }
}

describe("a token", () => {
  test("says who is calling", async () => {
    expect(await authenticator()(requestWith(await one.sign()))).toEqual({
      kind: "host",
      id: "person-1",
      tenant: "acme",
      role: "admin",
    })
  })

  test.each(["ES256", "ES384", "PS256", "EdDSA"])("signed by %s is one too", async (alg) => {
    const other = await signer("k", alg)
    expect(await refusal(await other.sign(), { keys: { keys: [other.jwk] } })).toMatchObject({ id: "person-1" })
  })

  test.each<readonly [string, Claims]>([
    ["has expired", { exp: nowS() - 31 }],
    ["is not valid yet", { nbf: nowS() + 120 }],
    ["is for another service", { aud: "other" }],
    ["is for none", { aud: undefined }],
    ["has no subject", { sub: undefined }],
    ["never ends", { exp: undefined }],
    ["names no tenant that can be", { tenant: "Acme!" }],
    ["names a reserved tenant", { tenant: "fleetprompt" }],
    ["makes its bearer an operator", { role: "operator" }],
    ["has an empty subject", { sub: "" }],
  ])("that %s is refused", async (_, claims) => {
    expect(await refusal(await one.sign(claims))).toBe("unauthenticated")
  })

  test.each<readonly [string, Claims]>([
    ["no tenant", { tenant: undefined }],
    ["a role that is none", { role: "root" }],
    ["a list as tenant", { tenant: ["acme"] }],
  ])("with %s names nobody", async (_, claims) => {
    expect(await refusal(await one.sign(claims))).toBeUndefined()
  })

  test("may be off by the tolerance", async () => {
    expect(await refusal(await one.sign({ exp: nowS() - 5 }))).toMatchObject({ id: "person-1" })
    expect(await refusal(await one.sign({ exp: nowS() - 5 }), { clockToleranceS: 0 })).toBe("unauthenticated")
    expect(await refusal(await one.sign({ iat: nowS() - 4_000 }), { maxAgeS: 3_600 })).toBe("unauthenticated")
  })

  test("of another issuer is left to the next", async () => {
    expect(await refusal(await one.sign({ iss: "https://login.example.com" }))).toBeUndefined()
    for (const text of ["", "x", "a.b.c", `${"a".repeat(17_000)}.b.c`, "fp_live_x"])
      expect(await refusal(text)).toBeUndefined()
    expect(await authenticator()(new Request("http://localhost/"))).toBeUndefined()
    const basic = new Request("http://localhost/", { headers: { authorization: "Basic abc" } })
    expect(await authenticator()(basic)).toBeUndefined()
  })
})

describe("an attack", () => {
  test("without a signature", async () => {
    const none = new UnsecuredJWT(goodClaims()).encode()
    expect(await refusal(none)).toBe("unauthenticated")
    for (const alg of ["none", "None", "NONE"]) {
      const header = Buffer.from(JSON.stringify({ alg, kid: "one" })).toString("base64url")
      const body = Buffer.from(JSON.stringify(goodClaims())).toString("base64url")
      for (const signature of ["", "AAAA"])
        expect(await refusal(`${header}.${body}.${signature}`)).toBe("unauthenticated")
    }
  })

  test("with the public key as the secret of an HMAC", async () => {
    const jwk = Buffer.from(JSON.stringify(one.jwk))
    for (const secret of [Buffer.from(one.pem), Buffer.from(one.pem.trim()), jwk])
      for (const alg of ["HS256", "HS384", "HS512"]) {
        const token = await new SignJWT(goodClaims()).setProtectedHeader({ alg, kid: "one" }).sign(secret)
        expect(await refusal(token)).toBe("unauthenticated")
      }
  })

  test("with a key of its own, under the kid of the issuer's or in the header", async () => {
    const forger = await signer("one")
    expect(await refusal(await forger.sign())).toBe("unauthenticated")
    expect(await refusal(await forger.sign({}, { jwk: forger.jwk }))).toBe("unauthenticated")
    expect(await refusal(await forger.sign({}, { jku: "https://evil.example.com/keys" }))).toBe("unauthenticated")
    expect(await refusal(await two.sign())).toBe("unauthenticated")
  })

  test("with what was changed after it was signed", async () => {
    const [header, , signature] = (await one.sign()).split(".")
    const body = Buffer.from(JSON.stringify({ ...goodClaims(), role: "owner" })).toString("base64url")
    expect(await refusal(`${header}.${body}.${signature}`)).toBe("unauthenticated")
  })

  test("with an algorithm that the issuer's key can, but is not accepted", async () => {
    expect(await refusal(await one.sign(), { algorithms: ["ES256"] })).toBe("unauthenticated")
  })

  test("with claims under the names of an object's own", async () => {
    const names = { tenant: "__proto__", role: "constructor" }
    expect(await refusal(await one.sign(), { claims: names })).toBeUndefined()
  })
})

describe("claims", () => {
  test("have the names that the issuer gives them", async () => {
    const claims = { id: "email", tenant: "https://example.com/org", role: "org_role", scopes: "scope" }
    const token = await one.sign({
      email: "ada@example.com",
      "https://example.com/org": "globex",
      org_role: "member",
      scope: "openid signals:read replays:* nonsense:fly",
    })
    expect(await refusal(token, { claims })).toEqual({
      kind: "host",
      id: "ada@example.com",
      tenant: "globex",
      role: "member",
      scopes: ["signals:read", "replays:*"],
    })
  })

  test("of scopes that are missing leave nothing", async () => {
    expect(await refusal(await one.sign(), { claims: { scopes: "scope" } })).toMatchObject({ scopes: [] })
    expect(
      await refusal(await one.sign({ scope: ["signals:read", 7] }), { claims: { scopes: "scope" } }),
    ).toMatchObject({
      scopes: ["signals:read"],
    })
  })

  test("may be read by a function", async () => {
    const claims = async ({ sub, groups }: JWTPayload) =>
      Array.isArray(groups) && groups.includes("acme-admins")
        ? ({ id: String(sub), tenant: "acme", role: "admin" } as const)
        : undefined
    expect(await refusal(await one.sign({ groups: ["acme-admins"] }), { claims })).toMatchObject({ role: "admin" })
    expect(await refusal(await one.sign({ groups: [] }), { claims })).toBeUndefined()
    const operator = () => ({ id: "op", tenant: "acme", role: "operator" }) as const
    expect(await refusal(await one.sign(), { claims: operator })).toBe("unauthenticated")
    expect(await refusal(await one.sign(), { claims: operator, allowOperator: true })).toMatchObject({
      role: "operator",
    })
  })
})

test.each<readonly [string, Partial<JwtOptions>]>([
  ["a symmetric algorithm", { algorithms: ["HS256"] }],
  ["no algorithm", { algorithms: ["none"] }],
  ["an empty list of algorithms", { algorithms: [] }],
  ["an empty issuer", { issuer: "" }],
  ["no audience", { audience: [] }],
  ["an empty audience", { audience: "" }],
  ["keys twice", { jwksUrl: "https://login.example.com/keys" }],
  ["a large tolerance", { clockToleranceS: 3_600 }],
])("options with %s are refused at once", (_, options) => {
  expect(() => authenticator(options)).toThrow(/expected/)
})

interface KeyService {
  readonly url: string
  /** Answers from now on. */
  readonly serve: (
    answer: () => { readonly status?: number; readonly body: string; readonly location?: string },
  ) => void
  readonly fetches: () => number
}

async function keyService(): Promise<KeyService> {
  let answer: Parameters<KeyService["serve"]>[0] = () => ({ body: JSON.stringify({ keys: [one.jwk] }) })
  let fetches = 0
  const server = createServer((_, response) => {
    fetches++
    const { status = 200, body, location } = answer()
    response
      .writeHead(status, { "content-type": "application/json", ...(location !== undefined && { location }) })
      .end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/keys`, serve: (next) => (answer = next), fetches: () => fetches }
}

describe("keys that are fetched", () => {
  function fetching(service: KeyService) {
    const authenticate = jwtAuthenticator({ issuer: ISSUER, audience: AUDIENCE, jwksUrl: service.url })
    return async (token: string): Promise<unknown> => {
      try {
        return await authenticate(requestWith(token))
      } catch (error) {
        return error instanceof Error && "code" in error ? error.code : error
      }
    }
  }

  test("are fetched once, however many ask", async () => {
    const service = await keyService()
    const check = fetching(service)
    const token = await one.sign()
    const answers = await Promise.all(Array.from({ length: 100 }, () => check(token)))
    expect(answers.every((answer) => typeof answer === "object")).toBe(true)
    expect(service.fetches()).toBe(1)
  })

  test("are not fetched again for a flood of unknown key ids", async () => {
    const service = await keyService()
    const check = fetching(service)
    expect(await check(await one.sign())).toMatchObject({ id: "person-1" })
    for (let n = 0; n < 200; n++)
      expect(await check(await two.sign({}, { kid: `made-up-${n}` }))).toBe("unauthenticated")
    expect(service.fetches()).toBe(1)
  })

  test("are not fetched again and again from a service that is away", async () => {
    const service = await keyService()
    const check = fetching(service)
    service.serve(() => ({ status: 500, body: "" }))
    const token = await one.sign()
    for (let n = 0; n < 50; n++) expect(await check(token)).toBe("issuer_unreachable")
    expect(service.fetches()).toBe(1)
  })

  test.each<readonly [string, Parameters<KeyService["serve"]>[0]]>([
    ["a redirect", () => ({ status: 302, body: "", location: "http://127.0.0.1:1/keys" })],
    ["no JSON", () => ({ body: "<html>" })],
    ["JSON without keys", () => ({ body: "[]" })],
    ["an endless answer", () => ({ body: JSON.stringify({ keys: [one.jwk], more: "x".repeat(600_000) }) })],
  ])("that come as %s are refused", async (_, answer) => {
    const service = await keyService()
    service.serve(answer)
    expect(await fetching(service)(await one.sign())).toBe("issuer_unreachable")
  })

  test("are not fetched from an address that others can stand before", () => {
    for (const jwksUrl of ["http://login.example.com/keys", "ftp://localhost/keys", "keys", "file:///etc/passwd"])
      expect(() => jwtAuthenticator({ issuer: ISSUER, audience: AUDIENCE, jwksUrl })).toThrow(/https:/)
  })
})

test("a new key of the issuer's is fetched when a token names it, once the pause is over", async () => {
  const service = await keyService()
  const clock = { now: Date.now() }
  const real = Date.now
  // The library keeps its times by Date.now, which is the only way to move them.
  Date.now = () => clock.now
  onTestFinished(() => void (Date.now = real))
  const authenticate = jwtAuthenticator({ issuer: ISSUER, audience: AUDIENCE, jwksUrl: service.url })
  expect(await authenticate(requestWith(await one.sign()))).toMatchObject({ id: "person-1" })
  service.serve(() => ({ body: JSON.stringify({ keys: [one.jwk, two.jwk] }) }))
  await expect(authenticate(requestWith(await two.sign()))).rejects.toMatchObject({ code: "unauthenticated" })
  clock.now += 31_000
  expect(await authenticate(requestWith(await two.sign()))).toMatchObject({ id: "person-1" })
  expect(service.fetches()).toBe(2)
  service.serve(() => ({ body: JSON.stringify({ keys: [two.jwk] }) }))
  clock.now += 601_000
  // A key that the issuer withdrew is out with the next fetch.
  await expect(authenticate(requestWith(await one.sign({ exp: nowS() + 3_000 })))).rejects.toMatchObject({
    code: "unauthenticated",
  })
})
