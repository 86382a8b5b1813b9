import { readFile } from "node:fs/promises"
import { parseArgs } from "node:util"
import { createFleet, type Fleet, type JsonObject, type Tenant } from "fleetprompt"
import { type FakeProcesses, startFakeProcesses } from "./fakes/fake-processes.ts"
import { FAKE_TOKEN, systemsAt } from "./fakes/systems.ts"
import { type ExamplePackage, readManifests } from "./manifests.ts"
import { exampleTemplates } from "./templates.ts"
import { type ChainLink, chainOf, printChain } from "./print-chain.ts"

// Installs the example packages into a tenant, feeds them leads and an issue, and prints what led to what. The systems
// outside are played by processes of their own. --json prints it as JSON: a list of chains of
// [{ type, id, causationId, handler, data }].

const { values: options } = parseArgs({ options: { json: { type: "boolean", default: false } } })
const TENANT = "demo"

/** Which package is given credentials for what, by the names that its manifest has for them. */
const CREDENTIALS: readonly (readonly [ExamplePackage, readonly string[]])[] = [
  ["lead-qualification", []],
  ["mls-enrichment", ["mls"]],
  ["property-research", ["zillow", "realtor"]],
  ["notification", ["slack"]],
  ["github-triage", ["github"]],
]
const LEAD = { lead_id: "ada", budget: 1_000_000, timeline: "immediate", pre_approved: true, area: "94110" }

const fakes = await startFakeProcesses()
const fleet = createFleet({ dataDirectory: "memory", templates: exampleTemplates(systemsAt(fakes.urls)) })
try {
  await fleet.start()
  await fleet.tenants.provision(TENANT)
  for (const manifest of await readManifests()) await fleet.packages.publish(manifest)
  const tenant = fleet.tenant(TENANT)
  for (const [slug, names] of CREDENTIALS) await install(tenant, slug, names)
  const chains = await feed(fleet, tenant, fakes)
  if (options.json)
    console.log(
      JSON.stringify(
        chains.map(({ links }) => links),
        null,
        2,
      ),
    )
  else for (const { title, links } of chains) printChain(title, links)
} finally {
  await fleet.stop()
  await fakes.stop()
}

async function install(tenant: Tenant, slug: ExamplePackage, names: readonly string[]): Promise<void> {
  const credentials: Record<string, string> = {}
  for (const name of names) {
    const input = { provider: name, account: TENANT, kind: "api_key", secret: { token: FAKE_TOKEN } } as const
    credentials[name] = (await tenant.credentials.create(input, { kind: "system", id: "demo" })).id
  }
  const { directive } = await tenant.packages.install({ slug, credentials })
  const { status, errorMessage } = await tenant.directives.wait(directive.id)
  if (status !== "completed") throw new Error(`the installation of ${slug} ${status}: ${errorMessage}`)
}

/** Emits one signal after the other, some of them while systems outside fail. */
async function feed(fleet: Fleet, tenant: Tenant, fakes: FakeProcesses) {
  const chains: { readonly title: string; readonly links: readonly ChainLink[] }[] = []
  const follow = async (title: string, type: string, data: JsonObject) => {
    const { signal } = await tenant.emit(type, data)
    await fleet.drain()
    chains.push({ title, links: await chainOf(tenant, signal.id) })
  }
  await follow("A lead with 90 points goes all the way.", "lead.received.zillow", LEAD)
  await follow("One with 89 is not looked up.", "lead.received.zillow", { ...LEAD, lead_id: "bob", budget: 900_000 })
  await fakes.tell("mls", { path: "/listings", kind: "fail", status: 429, retryAfterS: 1, times: 1 })
  await fakes.tell("property", { path: "/permits", kind: "fail", status: 500 })
  await follow("The MLS is busy at first, and one source is down.", "lead.received", { ...LEAD, lead_id: "eve" })
  const issue = await readFile(new URL("./github-triage/fixtures/issues.opened.json", import.meta.url), "utf8")
  // It is a document of GitHub's, an object.
  await follow("An issue is opened at GitHub.", "github.issues.opened", JSON.parse(issue) as JsonObject)
  return chains
}
