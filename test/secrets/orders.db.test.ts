import { expect, onTestFinished, test } from "vitest"
import { z } from "zod"
import { createLocalKey, formatKeys, localKeys } from "../../src/credentials/local-keys.ts"
import type { DirectiveContext } from "../../src/directives/directive.ts"
import {
  createFleet,
  defineActionTemplate,
  defineDirective,
  defineHandlerTemplate,
  type Fleet,
  type PackageManifest,
} from "../../src/fleetprompt.ts"
import type { Tenant } from "../../src/tenants/tenant.ts"
import { placements } from "../support/tenant-rows.ts"
import { archiveOf, keptOpen, openToDump } from "./dump.ts"
import { captureConsole, listenToAll, newRecording, type Recording } from "./recording.ts"
import { plant, type Planted, scan } from "./scan.ts"

/* Directives and packages work with secrets and are kept for good: what they work with is not kept with them. */

const RUN_MS = 240_000

/** Every secret of the run. */
function plantAll() {
  return {
    ordered: plant("a token of a credential that a directive opens"),
    installed: plant("a token of a credential that a package is given"),
    params: plant("a password in params", ""),
    plan: plant("a password in a plan", ""),
    reason: plant("a password in a reason", ""),
    key: plant("a password in an idempotency key", ""),
    correlation: plant("a password in a correlation", ""),
    config: plant("a password in a configuration", ""),
    decision: plant("a password in the reason of a decision", ""),
    step: plant("a password in a step's result", ""),
    result: plant("a password in a result", ""),
    progress: plant("a password in what is told of progress", ""),
    thrown: plant("a password in a connection string that was thrown", ""),
    input: plant("a password in what an action is called with", ""),
  }
}

type AllPlanted = ReturnType<typeof plantAll>

interface Run extends Recording {
  readonly planted: AllPlanted
}

const orders = z.object({ way: z.string(), credential: z.string() })
type Order = z.infer<typeof orders>

const tokenOf = async ({ params, credentials }: DirectiveContext<Order>): Promise<string> =>
  (await credentials.get(params.credential)).reveal("token")

/** All that a careless directive does with a secret. */
function waysOf({ planted }: Run): Readonly<Record<string, (context: DirectiveContext<Order>) => unknown>> {
  return {
    "throws it": async (context) => {
      const token = await tokenOf(context)
      throw Object.assign(new Error(`no: ${token}`, { cause: new Error(encodeURIComponent(token)) }), { code: token })
    },
    "throws an address": () => {
      throw new Error(`cannot reach postgres://app:${planted.thrown.text}@db.example/app`)
    },
    "answers with it": async (context) => {
      const token = await tokenOf(context)
      return { [token]: [token, Buffer.from(token).toString("base64")], said: `Bearer ${token}` }
    },
    "answers with a password": () => ({ password: planted.result.text }),
    "steps with it": async (context) => {
      const token = await tokenOf(context)
      await context.step("noted", () => ({ token, password: planted.step.text }))
      await context.transaction("kept", async (_tx, { emit }) => {
        await emit("thing.kept", { text: `x ${token}` })
        return { text: `y ${token}` }
      })
    },
    "reports it": async (context) => context.progress(1, 1, `at ${await tokenOf(context)}`),
    "reports a password": (context) => context.progress(1, 1, `password=${planted.progress.text}`),
    "tells it": async (context) => {
      const token = await tokenOf(context)
      await context.emit("thing.told", { text: token }, { subject: `for:${token}`, dedupeKey: token })
    },
    "undoes with it": async (context) => {
      const token = await tokenOf(context)
      await context.step("done", () => "done", {
        undo: () => {
          throw new Error(`cannot undo with ${token}`)
        },
      })
      throw new Error(`and then ${token}`)
    },
  }
}

function directivesOf(run: Run) {
  const ways = waysOf(run)
  const careless = defineDirective({
    type: "thing.do",
    params: orders,
    retry: { attempts: 2, backoff: { firstMs: 0 } },
    signalParams: (params) => params,
    trail: { completed: ({ result }) => ({ data: result }), failed: ({ failure }) => ({ data: { ...failure } }) },
    run: async (context) => (await ways[context.params.way]?.(context)) as Record<string, string> | undefined,
  })
  const free = defineDirective({
    type: "thing.free",
    params: z.record(z.string(), z.string()),
    approval: true,
    run: () => "done",
  })
  return { ways: Object.keys(ways), careless, free }
}

const manifest: PackageManifest = {
  slug: "careless",
  name: "Careless",
  version: "1.0.0",
  description: "For tests.",
  category: "tests",
  publisher: "tests",
  license: "MIT",
  config: { type: "object", properties: { note: { type: "string" } } },
  credentials: [{ name: "chat", provider: "p", kind: "custom", why: "to be had" }],
  agents: [{ name: "teller", with: { prompt: "Tell ${config.note}." } }],
  handlers: [{ name: "tell", uses: "careless.tell", on: "go", credentials: ["chat"] }],
  actions: [
    { name: "say", uses: "careless.say", credentials: ["chat"] },
    { name: "fail", uses: "careless.fail", credentials: ["chat"] },
    { name: "number", uses: "careless.say", credentials: ["chat"], result: { type: "number" } },
  ],
}

/** What the package runs, with its credential. */
const templates = [
  defineHandlerTemplate({
    name: "careless.tell",
    retry: { attempts: 1 },
    run: async ({ credentials, emit }) => {
      const token = (await credentials.get("chat")).reveal("token")
      await emit("came.out", { text: token }, { subject: `for:${token}` })
      throw new Error(`no: ${token}`)
    },
  }),
  defineActionTemplate({
    name: "careless.say",
    run: async ({ credentials, input }) => ({ input, said: (await credentials.get("chat")).reveal("token") }),
  }),
  defineActionTemplate({
    name: "careless.fail",
    run: async ({ credentials }) => {
      throw new Error(`no: ${(await credentials.get("chat")).reveal("token")}`)
    },
  }),
]

const system = { kind: "system", id: "test" } as const

async function credentialOf(tenant: Tenant, account: string, { text }: Planted): Promise<string> {
  const { id } = await tenant.credentials.create(
    { provider: "p", account, kind: "custom", secret: { token: text } },
    system,
  )
  return id
}

/** Orders everything, and puts a secret wherever a caller can put a text. */
async function useDirectives(tenant: Tenant, run: Run, { ways, careless, free }: ReturnType<typeof directivesOf>) {
  const { planted, tell } = run
  const { directives } = tenant
  const credential = await credentialOf(tenant, "ordered", planted.ordered)
  const statuses: Record<string, string> = {}
  for (const way of ways) {
    const { directive } = await directives.request(careless, { way, credential })
    const ended = await directives.wait(directive.id)
    statuses[way] = ended.status
    tell("a directive", ended, await directives.trail(directive.id))
  }
  const password = (each: Planted): string => `password=${each.text}`
  const fine = { note: "fine" }
  const refused = await Promise.all([
    codeOf(run, directives.request(free, { password: planted.params.text })),
    codeOf(run, directives.request(free, { note: password(planted.params) })),
    codeOf(run, directives.request(free, fine, { plan: { password: planted.plan.text } })),
    codeOf(run, directives.request(free, fine, { reason: password(planted.reason) })),
    codeOf(run, directives.request(free, fine, { idempotencyKey: password(planted.key) })),
    codeOf(run, directives.request(free, fine, { correlationId: password(planted.correlation) })),
  ])
  const { directive } = await directives.request(free, fine)
  for (const decide of [directives.cancel, directives.approve, directives.reject])
    refused.push(await codeOf(run, decide(directive.id, { reason: password(planted.decision) })))
  await directives.cancel(directive.id)
  tell("a list", await directives.list({ limit: 500 }))
  return { statuses, refused }
}

/** Installs a package that is given a credential, and has it do all that it can. */
async function usePackages(fleet: Fleet, tenant: Tenant, run: Run) {
  const { planted, tell } = run
  const { packages, directives } = tenant
  await fleet.packages.publish(manifest)
  const chat = await credentialOf(tenant, "installed", planted.installed)
  const wish = { slug: manifest.slug, credentials: { chat } }
  const refused = [
    await codeOf(run, packages.install({ ...wish, config: { note: `password=${planted.config.text}` } })),
    await codeOf(
      run,
      packages.install({ ...wish, config: { note: "x" } }, { reason: `password=${planted.reason.text}` }),
    ),
  ]
  // Whoever takes the secret for its id is told that it is none, and it is not told back.
  const mistaken = { ...wish, credentials: { chat: planted.installed.text } }
  await codeOf(run, packages.install(mistaken))
  await packages.plan(mistaken).then(
    (plan) => tell("a plan", plan),
    (error: unknown) => tell("an error", error),
  )
  const { directive } = await packages.install({ ...wish, config: { note: "fine" } })
  const { status } = await directives.wait(directive.id)
  await tenant.emit("go", {})
  const input = { password: planted.input.text }
  for (const action of ["say", "fail", "number"])
    await packages.execute(manifest.slug, action, action === "say" ? {} : input).then(
      (answer) => tell("an answer", answer),
      (error: unknown) => tell("an error", error),
    )
  await fleet.drain()
  tell("an installation", await packages.get(manifest.slug), await packages.list(), await packages.plan(wish))
  tell("letters", (await tenant.deadLetters.list({ limit: 100 })).letters)
  return { status, refused }
}

async function codeOf({ tell }: Recording, asked: Promise<unknown>): Promise<unknown> {
  const error = await asked.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  tell("an error", error)
  return error instanceof Error ? Reflect.get(error, "code") : "none"
}

test.each(placements)("directives and packages keep no secret: %s", { timeout: RUN_MS }, async (placement) => {
  const run: Run = { ...newRecording(), planted: plantAll() }
  const { planted, told, tell } = run
  const { database, dump } = await openToDump()
  onTestFinished(() => database.close())
  const made = directivesOf(run)
  captureConsole(run)
  const fleet = createFleet({
    database: keptOpen(database),
    retention: false,
    worker: { pollMs: 50 },
    keys: localKeys(formatKeys([createLocalKey()])),
    directives: [made.careless, made.free],
    templates,
  })
  const metrics = listenToAll(fleet, run)
  await fleet.start()
  onTestFinished(() => fleet.stop({ graceMs: 0 }))
  await fleet.tenants.provision("acme", { placement })
  const tenant = fleet.tenant("acme")
  const ordered = await useDirectives(tenant, run, made)
  const installed = await usePackages(fleet, tenant, run)
  for await (const piece of tenant.audit.export()) tell("the audit log", piece)
  tell("signals", await tenant.signals.list({ limit: 500, visibilities: ["internal", "admin_only"] }))
  tell("an archive", await archiveOf(fleet, "acme"))
  tell("metrics", await metrics.text())
  const kept = await dump()
  expect(scan([...told, ...kept], Object.values(planted))).toEqual([])

  // All was done, or refused, as it was to be: otherwise there would be nothing to find.
  expect(ordered.statuses).toEqual({
    "throws it": "failed",
    "throws an address": "failed",
    "answers with it": "completed",
    "answers with a password": "completed",
    "steps with it": "completed",
    "reports it": "completed",
    "reports a password": "completed",
    "tells it": "completed",
    "undoes with it": "failed",
  })
  expect(ordered.refused).toEqual(Array.from({ length: 9 }, () => "secret_refused"))
  expect(installed).toEqual({ status: "completed", refused: ["secret_refused", "secret_refused"] })
  const texts = kept.map(({ text }) => text).join("\n")
  for (const trace of ["[redacted:credential]", "thing.kept", "came.out", "cannot undo with"])
    expect(texts).toContain(trace)
  // And a leak would have been seen.
  await tenant.directives.request("thing.free", { note: planted.ordered.text })
  expect(scan(await dump(), Object.values(planted)).length).toBeGreaterThan(0)
})
