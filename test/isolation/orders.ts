import { z } from "zod"
import { createLocalKey, formatKeys, localKeys } from "../../src/credentials/local-keys.ts"
import {
  defineActionTemplate,
  defineDirective,
  defineHandlerTemplate,
  type Fleet,
  type FleetOptions,
  type PackageManifest,
} from "../../src/fleetprompt.ts"
import type { Tenant } from "../../src/tenants/tenant.ts"

/** Ids of what a tenant has of directives and packages. */
export interface Orders {
  /** A directive that has completed, one that has failed, and one that waits for an approval. */
  readonly done: string
  readonly failed: string
  readonly waiting: string
  readonly installation: string
  /** Given to the installation. */
  readonly credential: string
}

/** A package that every tenant has, and one that none has. */
export const KIT = "isolation-kit"
export const OTHER_KIT = "isolation-other-kit"

const noted = z.object({ note: z.string() })

const order = defineDirective({
  type: "thing.order",
  params: noted,
  signalParams: (params) => params,
  run: async ({ params, step, emit }) => {
    const note = await step("note", () => params.note)
    await emit("thing.noted", { note })
    return { note }
  },
})

const fail = defineDirective({
  type: "thing.fail",
  params: noted,
  retry: { attempts: 1 },
  run: ({ params }) => {
    throw new Error(`cannot do ${params.note}`)
  },
})

const confirm = defineDirective({ type: "thing.confirm", params: noted, approval: true, run: ({ params }) => params })

/** Tells what it gets to see of a credential. */
const use = defineDirective({
  type: "thing.use",
  params: z.object({ credential: z.string() }),
  retry: { attempts: 1 },
  run: async ({ params, credentials }) => {
    const { provider, account } = await credentials.get(params.credential)
    return { provider, account }
  },
})

const tell = defineHandlerTemplate({
  name: "isolation.tell",
  params: noted,
  retry: { attempts: 1 },
  run: ({ params }) => {
    throw new Error(`cannot do ${params.note}`)
  },
})

const say = defineActionTemplate({
  name: "isolation.say",
  run: ({ input, config }) => ({ input, note: config["note"] ?? null }),
})

const kit: PackageManifest = {
  slug: KIT,
  name: "Kit",
  version: "1.0.0",
  description: "For tests.",
  category: "tests",
  publisher: "tests",
  license: "MIT",
  config: { type: "object", properties: { note: { type: "string" } }, additionalProperties: false },
  credentials: [{ name: "chat", provider: "slack", kind: "api_key", why: "to be had" }],
  agents: [{ name: "teller", with: { prompt: "Tell ${config.note}." } }],
  handlers: [
    { name: "tell", uses: tell.name, on: "thing.told", with: { note: "${config.note}" }, credentials: ["chat"] },
  ],
  actions: [{ name: "say", uses: say.name }],
}

/** One ring for all fleets of a database. */
const KEYS = localKeys(formatKeys([createLocalKey()]))

/** What fleets can carry out for the tenants of these tests. */
export function orderOptions(): Pick<FleetOptions, "directives" | "templates" | "keys"> {
  return { directives: [order, fail, confirm, use], templates: [tell, say], keys: KEYS }
}

/** Gives a tenant directives that ended in each way, and a package with something of everything. */
export async function fillOrders(fleet: Fleet, tenant: Tenant, marker: string): Promise<Orders> {
  for (const slug of [KIT, OTHER_KIT]) await fleet.packages.publish({ ...kit, slug })
  const params = { note: marker }
  const told = { reason: marker, idempotencyKey: "the-same-key" }
  const { id: credential } = await tenant.credentials.create(
    { provider: "slack", account: marker, kind: "api_key", secret: { token: `secret ${marker}` } },
    { kind: "system", id: "test" },
  )
  const done = await tenant.directives.request(order, params, told)
  const failed = await tenant.directives.request(fail, params, { reason: marker })
  const waiting = await tenant.directives.request(confirm, params, { reason: marker, plan: params })
  const wish = { slug: KIT, config: params, credentials: { chat: credential } }
  const installed = await tenant.packages.install(wish, { reason: marker })
  for (const [{ directive }, status] of [
    [done, "completed"],
    [failed, "failed"],
    [installed, "completed"],
  ] as const) {
    const ended = await tenant.directives.wait(directive.id)
    if (ended.status !== status) throw new Error(`${ended.type} is ${ended.status}: ${ended.errorMessage}`)
  }
  await tenant.emit("thing.told", {})
  await tenant.packages.execute(KIT, "say", params)
  const ids = { done: done.directive.id, failed: failed.directive.id, waiting: waiting.directive.id }
  return { ...ids, installation: installed.installationId, credential }
}
