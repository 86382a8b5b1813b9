import { expect, onTestFinished } from "vitest"
import { type FakeServer, startFake } from "../../examples/packages/fakes/fake-server.ts"
import { FAKE_TOKEN, type FakeName, FAKES, systemsAt } from "../../examples/packages/fakes/systems.ts"
import { type ExamplePackage, readManifests } from "../../examples/packages/manifests.ts"
import { exampleTemplates } from "../../examples/packages/templates.ts"
import type { FleetOptions } from "../../src/fleet/options.ts"
import type { SignalDetail } from "../../src/inspect/signal-detail.ts"
import type { PackageWish } from "../../src/packages/installations/tenant-packages.ts"
import type { JsonObject } from "../../src/signal/json.ts"
import type { Database } from "../../src/store/database.ts"
import { bindingsRead } from "./bindings.ts"
import { type TestFleet, testFleet } from "./test-fleet.ts"

/** The fakes of a test, by name. */
export type Fakes = Readonly<Record<FakeName, FakeServer>>

/** A fleet with the example packages in its catalogue, and systems outside that are real servers of the test. */
export interface ExampleFleet extends TestFleet {
  readonly fakes: Fakes
  /** Stores a credential that the fakes take, and answers its id. */
  readonly credential: (provider: string) => Promise<string>
  /** Installs a package, and resolves when it runs. */
  readonly install: (slug: ExamplePackage, wish?: Omit<PackageWish, "slug">) => Promise<void>
  /** Emits a signal, waits until all that follows is done, and reads it with its effects. */
  readonly follow: (type: string, data: JsonObject) => Promise<SignalDetail>
  /** Data of the tenant's signals of a type, oldest first. */
  readonly dataOf: (type: string) => Promise<readonly unknown[]>
}

const ALL = ["internal", "admin_only"] as const

/** Starts all of it for the running test; all of it ends with the test. */
export async function exampleFleet(
  database: Database,
  options: Omit<FleetOptions, "database" | "templates"> = {},
): Promise<ExampleFleet> {
  const fakes = await startFakes()
  const { github, mls, property, slack } = fakes
  const systems = systemsAt({ github: github.url, mls: mls.url, property: property.url, slack: slack.url })
  const { fleet, tenant } = await testFleet(database, { ...options, templates: exampleTemplates(systems) })
  for (const manifest of await readManifests()) await fleet.packages.publish(manifest)
  const get = async (id: string) => {
    const detail = await tenant.signals.get(id, ALL)
    if (!detail) throw new Error(`there is no signal ${id}`)
    return detail
  }
  return {
    fleet,
    tenant,
    fakes,
    credential: async (provider) => {
      const input = { provider, account: "tests", kind: "api_key", secret: { token: FAKE_TOKEN } } as const
      return (await tenant.credentials.create(input, { kind: "system", id: "tests" })).id
    },
    install: async (slug, wish) => {
      const { directive } = await tenant.packages.install({ slug, ...wish })
      expect(await tenant.directives.wait(directive.id)).toMatchObject({ status: "completed", errorMessage: null })
      await bindingsRead(fleet)
    },
    follow: async (type, data) => {
      const { signal } = await tenant.emit(type, data)
      await fleet.drain()
      return get(signal.id)
    },
    dataOf: async (type) => {
      const { signals } = await tenant.signals.list({ limit: 500, pattern: type, visibilities: ALL })
      const details = await Promise.all(signals.toReversed().map(({ id }) => get(id)))
      return details.map(({ signal }) => signal["data"])
    },
  }
}

async function startFakes(): Promise<Fakes> {
  const names = Object.keys(FAKES) as FakeName[] // Keys of a constant are its own.
  const started = await Promise.all(names.map(async (name) => [name, await startFake(FAKES[name]())] as const))
  onTestFinished(async () => void (await Promise.all(started.map(([, fake]) => fake.close()))))
  // One was started for each name.
  return Object.fromEntries(started) as Fakes
}
