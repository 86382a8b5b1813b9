import { createHmac } from "node:crypto"
import { createServer } from "node:http"
import { inspect } from "node:util"
import { expect, onTestFinished, test } from "vitest"
import { apiKeyAuthenticator } from "../../src/access/api-key-authenticator.ts"
import { firstOf } from "../../src/access/authenticate.ts"
import type { Principal } from "../../src/access/principal.ts"
import { githubWebhook } from "../../src/connectors/github.ts"
import { formatKeys, createLocalKey, localKeys } from "../../src/credentials/local-keys.ts"
import type { HandlerContext } from "../../src/delivery/handler-definition.ts"
import { defineHandler } from "../../src/delivery/handler.ts"
import { cancel } from "../../src/delivery/outcome.ts"
import { createFleet, type Fleet } from "../../src/fleet.ts"
import type { FleetOptions } from "../../src/fleet/options.ts"
import { createFetchHandler, type FetchHandler } from "../../src/server/fetch-handler.ts"
import type { JsonValue } from "../../src/signal/json.ts"
import type { Tenant } from "../../src/tenants/tenant.ts"
import { archiveOf, keptOpen, openToDump } from "./dump.ts"
import { captureConsole, listenToAll, newRecording, type Recording } from "./recording.ts"
import { plant, scan } from "./scan.ts"

const isServer = process.env["TEST_DATABASE"] === "server"
const owner = { kind: "host", id: "anna", role: "owner" } as const
const HOST = "http://localhost"

/** Every secret of the run, where it is put, and what the run must not tell of it. */
function plantAll() {
  return {
    token: plant("an API token in a credential"),
    old: plant("a token that was replaced"),
    revoked: plant("a token that was revoked"),
    overHttp: plant("a token that came over HTTP"),
    shared: plant("a token of a tenant in the shared schema"),
    certificate: plant("a line of a certificate", ""),
    basic: plant("a password of a basic credential"),
    refreshed: plant("a token that a provider gave"),
    webhook: plant("a webhook's secret", ""),
    password: plant("a password in a signal", ""),
    url: plant("a password in a connection string", ""),
    bearer: plant("a bearer token in a webhook", ""),
    metrics: plant("the token of the metrics", ""),
  }
}

type AllPlanted = ReturnType<typeof plantAll>

interface Run extends Recording {
  readonly planted: AllPlanted
}

type Context = HandlerContext<Readonly<Record<string, string>>>

/** A system outside that says who called: what a handler gets back may quote its secret. */
async function echoServer(): Promise<string> {
  const server = createServer((request, response) => {
    response.statusCode = 401
    response.end(`refused: ${request.headers.authorization}`)
  }).listen(0, "127.0.0.1")
  await new Promise((resolve) => server.once("listening", resolve))
  onTestFinished(() => void server.close())
  const address = server.address()
  return `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`
}

/** Handlers that do all that a careless one does with a secret. */
function carelessHandlers({ planted }: Run, url: string) {
  const revealed = async ({ credentials, signal }: Context): Promise<string> =>
    (await credentials.get(signal.data["credential"] ?? "")).reveal("token")
  const careless = (name: string, run: (context: Context) => unknown) =>
    defineHandler<Readonly<Record<string, string>>>({
      name,
      on: "go",
      retry: { attempts: 2, backoff: () => 0 },
      run: async (context) => (await run(context)) as ReturnType<typeof cancel> | undefined,
    })
  return [
    careless("throws", async (context) => {
      const token = await revealed(context)
      const cause = new TypeError(`cause ${encodeURIComponent(token)} ${JSON.stringify({ token })}`)
      throw Object.assign(new Error(`no: ${token} ${Buffer.from(token).toString("hex")}`, { cause }), {
        token,
        config: { token },
      })
    }),
    careless("throws.text", async (context) => {
      throw `only a text ${await revealed(context)}`
    }),
    careless("throws.hidden", async (context) => {
      const token = await revealed(context)
      throw { name: token, message: { toString: () => token }, code: token, stack: token }
    }),
    careless("calls", async (context) => {
      const basic = Buffer.from(`user:${await revealed(context)}`).toString("base64")
      const response = await fetch(url, { headers: { authorization: `Basic ${basic}` } })
      throw new Error(`${response.status} ${await response.text()}`)
    }),
    careless("certifies", async (context) => {
      const { pem } = (await context.credentials.get(context.signal.data["certificate"] ?? "")).reveal() as {
        pem: string
      }
      throw new Error(`bad certificate: ${pem.split("\n")[1]}`)
    }),
    careless("cancels", async (context) => cancel(`given up with ${await revealed(context)}`)),
    careless("emits", async (context) => {
      const token = await revealed(context)
      const data: JsonValue = {
        token_id: token,
        [token]: [token],
        text: `x${encodeURIComponent(token)}`,
        body: JSON.stringify({ token }),
      }
      await context.emit("came.out", data, { subject: `for:${token}`, dedupeKey: token })
    }),
    careless("emits.secret", (context) => context.emit("came.out", { password: planted.password.text })),
    careless("connects", () => {
      throw new Error(`cannot reach postgres://app:${planted.url.text}@db.example/app`)
    }),
    careless("prints", async (context) => {
      const credential = await context.credentials.get(context.signal.data["credential"] ?? "")
      console.log("got", credential, String(credential), JSON.stringify({ credential }))
      throw new Error(`cannot use ${String(credential)} ${inspect(credential, { showHidden: true })}`)
    }),
    careless("refreshes", async (context) => {
      throw new Error(`got ${(await context.credentials.get(context.signal.data["oauth"] ?? "")).reveal("token")}`)
    }),
  ]
}

/** Credentials of each kind, and signals that refer to them. */
async function useCredentials(tenant: Tenant, { planted, tell }: Run): Promise<void> {
  const { credentials } = tenant
  const create = async (
    account: string,
    secret: Readonly<Record<string, string>>,
    kind: "custom" | "oauth2" = "custom",
  ) => {
    const record = await credentials.create({ provider: "p", account, kind, secret }, owner)
    tell("a record", record)
    return record.id
  }
  const replaced = await create("replaced", { token: planted.old.text })
  await credentials.replace(replaced, { secret: { token: planted.token.text } }, owner)
  const revoked = await create("revoked", { token: planted.revoked.text })
  await credentials.use(revoked, owner)
  await credentials.revoke(revoked, owner)
  const certificate = await create("certificate", {
    pem: `-----BEGIN-----\n${planted.certificate.text}\n-----END-----`,
  })
  await create("basic", { user: "app", password: planted.basic.text })
  const soon = { provider: "oauth", account: "o", kind: "oauth2", secret: { token: planted.old.text } } as const
  const oauth = await credentials.create({ ...soon, expiresAt: new Date(Date.now() + 1_000) }, owner)
  tell("a list", await credentials.list(), await credentials.get(replaced))
  for (const id of [revoked, "0", replaced.replace(/.$/, "0")])
    await credentials.use(id, owner).catch((error: unknown) => tell("an error", error))
  await credentials.create({ ...soon, kind: "oauth2" }, owner).catch((error: unknown) => tell("an error", error))
  await tenant.emit("go", { credential: replaced, certificate, oauth: oauth.id })
  await tenant.emit("wrong", { password: planted.password.text }).catch((error: unknown) => tell("an error", error))
  await tenant.emit("redacted", { text: `password=${planted.password.text}` }, { onSecret: "redact" })
}

/** Waits until nothing is left to be done, and then does it all again. */
async function runAgain(tenant: Tenant): Promise<void> {
  const settled = async (): Promise<void> => {
    while ((await tenant.openDeliveries()) > 0) await new Promise((resolve) => setImmediate(resolve))
  }
  await settled()
  await tenant.deadLetters.redrive({ all: true })
  await settled()
  const replay = await tenant.replays.start(
    { filter: { pattern: "go" }, force: true },
    { actor: { id: "anna", role: "owner" } },
  )
  while (["running", "paused"].includes((await tenant.replays.get(replay.id))?.status ?? ""))
    await new Promise((resolve) => setImmediate(resolve))
  await settled()
}

/** Reads and changes all that there is over HTTP; every answer is kept. */
async function useHttp(fleet: Fleet, tenant: Tenant, handler: FetchHandler, run: Run): Promise<void> {
  const { planted, made, tell } = run
  const send = async (
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<string> => {
    const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body)
    const response = await handler.fetch(
      new Request(`${HOST}${path}`, { method, headers, ...(text !== undefined && { body: text }) }),
    )
    const answer = await response.text()
    tell(`${method} ${path}`, response.status, JSON.stringify([...response.headers]), answer)
    return answer
  }
  const fresh = { provider: "p", account: "http", kind: "api_key", secret: { token: planted.overHttp.text } }
  const { id } = JSON.parse(await send("POST", "/v1/credentials", fresh)) as { id: string }
  await send("POST", "/v1/credentials", fresh)
  await send("POST", "/v1/credentials", { ...fresh, kind: planted.overHttp.text, account: "x" })
  await send("PUT", `/v1/credentials/${id}/secret`, { secret: planted.overHttp.text })
  await send("PUT", `/v1/credentials/${id}/secret`, { secret: { token: `${planted.overHttp.text}2` } })
  for (const path of ["/v1/credentials", `/v1/credentials/${id}`, `/v1/credentials/${planted.overHttp.core}`])
    await send("GET", path)
  const { key } = await tenant.apiKeys.create({ name: "k", role: "admin", owner: { kind: "host", id: "anna" } })
  made.push({ name: "an API key", text: key, core: key.slice(-30) })
  const byKey = { authorization: `Bearer ${key}` }
  await send("GET", "/v1/signals", undefined, byKey)
  await send("GET", "/v1/signals", undefined, { authorization: `Bearer ${key.slice(0, -2)}xx` })
  await send("GET", "/metrics", undefined, { authorization: `Bearer ${planted.metrics.text}` })
  await send("GET", "/metrics", undefined, { authorization: `Bearer ${planted.metrics.text}x` })
  await sendWebhooks(send, planted)
  const { signals } = await tenant.signals.list({ limit: 500, visibilities: ["internal", "admin_only"] })
  for (const signal of signals) await send("GET", `/v1/signals/${signal.id}`)
  const paths = [
    "/v1/signals?limit=500",
    "/v1/summary",
    "/v1/api-keys",
    "/v1/audit?limit=500",
    "/v1/audit/export",
    "/v1/audit/head",
    "/v1/me",
    "/health",
    "/ready",
  ]
  for (const path of paths) await send("GET", path)
  for await (const piece of tenant.audit.export()) tell("the audit log", piece)
  tell("letters", (await tenant.deadLetters.list({ limit: 100 })).letters)
  tell("stats", await fleet.stats(), await fleet.health(), await fleet.keys.status())
}

async function sendWebhooks(
  send: (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<unknown>,
  { webhook, bearer }: AllPlanted,
): Promise<void> {
  const body = JSON.stringify({
    action: "opened",
    issue: { number: 1, body: `Authorization: Bearer ${bearer.text}7` },
    token: bearer.text,
  })
  const signature = (text: string): string => `sha256=${createHmac("sha256", webhook.text).update(text).digest("hex")}`
  const headers = { "x-github-event": "issues", "content-type": "application/json" }
  const genuine = { ...headers, "x-github-delivery": "9f8a1a60-0000-4000-8000-000000000001" }
  await send("POST", "/v1/webhooks/github", body, { ...genuine, "x-hub-signature-256": signature(body) })
  await send("POST", "/v1/webhooks/github", body, { ...genuine, "x-hub-signature-256": signature("other") })
}

async function liveFeed(handler: FetchHandler, { tell }: Run): Promise<() => Promise<void>> {
  const response = await handler.fetch(new Request(`${HOST}/v1/signals/live`))
  const reader = response.body?.getReader()
  const reading = (async () => {
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true, value: undefined }
      if (done) return
      tell("the live feed", Buffer.from(value as Uint8Array).toString())
    }
  })()
  return async () => {
    handler.close()
    await reading
  }
}

/** A server that is not there: what is said of it must not hold its password. */
async function failToConnect({ planted, tell }: Run): Promise<void> {
  const fleet = createFleet({ databaseUrl: `postgres://app:${planted.url.text}@127.0.0.1:1/app` })
  fleet.telemetry.listen((...event) => tell("telemetry", ...event))
  await fleet.start().catch((error: unknown) => tell("an error", error))
}

test("nothing that is secret comes out of a whole fleet: not into its database, logs, metrics, answers or errors", async () => {
  const run: Run = { ...newRecording(), planted: plantAll() }
  const { planted, made, told, tell } = run
  const key = createLocalKey()
  const keyBytes = Buffer.from(key.bytes)
  made.push({ name: "the key ring", text: keyBytes.toString("base64"), core: keyBytes.toString("hex") })
  const { database, dump } = await openToDump()
  onTestFinished(() => database.close())
  const options: FleetOptions = {
    database: keptOpen(database),
    retention: false,
    worker: { pollMs: 50 },
    keys: localKeys(formatKeys([key])),
    webhooks: [githubWebhook({ tenant: "acme", secret: planted.webhook.text })],
    handlers: carelessHandlers(run, await echoServer()),
    credentialRefreshers: [
      {
        provider: "oauth",
        refresh: async (_secret, { id }) => {
          tell("a refresh", id)
          return { kind: "refreshed", secret: { token: planted.refreshed.text }, expiresAt: null }
        },
      },
    ],
  }
  captureConsole(run)
  const fleet = createFleet(options)
  const metrics = listenToAll(fleet, run)
  await fleet.start()
  onTestFinished(() => fleet.stop({ graceMs: 0 }))
  for (const [slug, placement] of [
    ["acme", "own"],
    ["zeta", "shared"],
  ] as const)
    await fleet.tenants.provision(slug, { placement })
  const [tenant, other] = [fleet.tenant("acme"), fleet.tenant("zeta")]
  await other.credentials.create(
    { provider: "p", account: "s", kind: "custom", secret: { token: planted.shared.text } },
    owner,
  )
  const principal: Principal = { ...owner, tenant: "acme" }
  const authenticate = firstOf(apiKeyAuthenticator(fleet), (request) =>
    request.headers.has("authorization") ? undefined : principal,
  )
  const onError = (error: unknown): void => tell("an error of the server", error)
  const handler = createFetchHandler(fleet, {
    authenticate,
    metrics,
    metricsToken: planted.metrics.text,
    limits: false,
    onError,
  })
  const endFeed = await liveFeed(handler, run)
  await useCredentials(tenant, run)
  await runAgain(tenant)
  await useHttp(fleet, tenant, handler, run)
  await runAgain(tenant)
  await failToConnect(run)
  for (const slug of ["acme", "zeta"]) tell("an archive", await archiveOf(fleet, slug))
  tell("metrics", await metrics.text())
  await endFeed()
  const kept = await dump()
  const secrets = [...Object.values(planted), ...made]
  expect(scan([...told, ...kept], secrets)).toEqual([])

  // The run did what it was to do: otherwise there would be nothing to find.
  const letters = (await tenant.deadLetters.list({ limit: 100 })).letters.map(({ handler: name }) => name)
  const failing = [
    "throws",
    "throws.text",
    "throws.hidden",
    "calls",
    "certifies",
    "emits.secret",
    "connects",
    "prints",
    "refreshes",
  ]
  expect(letters.toSorted()).toEqual(failing.toSorted())
  expect(kept.some(({ text }) => text.includes("[redacted:credential]"))).toBe(true)
  for (const where of [
    "a refresh",
    "the console",
    "a log",
    "a span",
    "telemetry",
    "news",
    "metrics",
    "the audit log",
    "an archive",
  ])
    expect([where, told.some((each) => each.where === where)]).toEqual([where, true])
  expect(told.some(({ where, text }) => where === "the live feed" && text.includes("came.out"))).toBe(true)
  // And a leak would have been seen in each place.
  const hidden = planted.token.text
  await fleet.tenant("zeta").emit("leaked", { note: Buffer.from(`a ${hidden}`).toString("base64") })
  tell("a log", hidden)
  const found = new Set(scan([...told, ...(await dump())], secrets).map(({ where }) => where.split(",")[0]))
  expect(found).toContain("a log")
  expect(found).toContain("fleetprompt_shared.signals")
  if (isServer) expect(found).toContain("pg_dump --inserts")
}, 240_000)
