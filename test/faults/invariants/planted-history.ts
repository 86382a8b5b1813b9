import { Client } from "pg"
import { afterAll, afterEach, beforeAll, beforeEach, onTestFinished } from "vitest"
import { defineHandler } from "../../../src/delivery/handler.ts"
import { createFleet, type Fleet } from "../../../src/fleet.ts"
import { type PostgresCluster, startPostgresCluster } from "../../support/postgres-cluster.ts"
import { testSlug } from "../../support/test-fleet.ts"
import { handlers as recordSet } from "../handlers/record.ts"
import { markerOf } from "../ledger/content.ts"
import { Ledger } from "../ledger/ledger.ts"
import { recordEmits } from "../ledger/recorded-emit.ts"
import { LEDGER_TABLES } from "../ledger/tables.ts"
import type { InvariantId } from "../scenario.ts"
import { startTail } from "../tail.ts"
import { until } from "../wait.ts"
import { findViolations } from "./check.ts"
import type { Evidence } from "./evidence.ts"

/** A handler that no worker has, so that what is planted for it stays. */
const gone = defineHandler({ name: "gone.work", on: "never.happens", run: () => {} })

/**
 * Before each test, two tenants with a history in which all is well: three orders, one of them keyed, done and
 * followed. Product and ledger share a database here.
 */
export class PlantedHistory {
  fleet!: Fleet
  ledger!: Ledger
  evidence!: Evidence
  /** The tenant into whose history violations are planted. */
  slug = ""
  other = ""
  /** Of its signals. */
  ids: readonly string[] = []
  #db!: Client
  #cluster!: PostgresCluster

  async open(): Promise<void> {
    // Transactions that tests of other files keep open on a server of all would hold back what is read here.
    this.#cluster = await startPostgresCluster()
    const { url } = this.#cluster
    this.#db = new Client({ connectionString: url })
    await this.#db.connect()
    await this.#db.query(LEDGER_TABLES)
    this.ledger = new Ledger(url)
    const { ledger } = this
    const handlers = recordSet({ ledger, workerName: () => this.fleet.workerName, options: {}, pass: async () => {} })
    this.fleet = createFleet({ databaseUrl: url, handlers, retention: false })
    await this.fleet.start()
    const limits = { leaseMs: 60, pollMs: 20, catchUpMs: 50 }
    this.evidence = { product: ledger, ledger, handlers: [...handlers, gone], ...limits }
  }

  async close(): Promise<void> {
    await this.fleet.stop()
    await this.ledger.close()
    await this.#db.end()
    await this.#cluster.stop()
  }

  async begin(): Promise<void> {
    this.slug = testSlug()
    this.other = testSlug("other")
    this.ids = await this.#history(this.slug)
    await this.#history(this.other)
    await this.fleet.drain()
    const areSeen = async (): Promise<boolean> => (await this.ledger.count("seen")) === 6
    await until(areSeen, { withinMs: 40_000, what: "both subscribers saw all" })
  }

  async end(): Promise<void> {
    await this.#db.query("delete from fleetprompt.tenants; delete from fleetprompt.deliveries")
    await this.#db.query("truncate calls, invocations, effects, subscribers, seen, terminals, outputs")
  }

  async #history(tenant: string): Promise<readonly string[]> {
    await this.fleet.tenants.provision(tenant)
    const tail = await startTail(this.fleet, this.ledger, { name: `of-${tenant}`, tenant })
    onTestFinished(tail.stop)
    const { emit } = recordEmits(this.fleet, this.ledger)
    const stored: string[] = []
    for (const n of [1, 2, 3]) {
      const data = { n, marker: markerOf(tenant) }
      const options = n === 1 ? { dedupeKey: "first" } : {}
      const { signal } = await emit(tenant, { type: "order.created", data, options })
      stored.push(signal.id)
    }
    return stored
  }

  async violations(id: InvariantId): Promise<readonly string[]> {
    return (await findViolations([id], this.evidence)).get(id) ?? []
  }

  /** Runs statements on the database of product and ledger; `org.` stands for the schema of the tenant. */
  async plant(text: string, ...values: readonly unknown[]): Promise<void> {
    await this.#db.query(text.replaceAll("org.", `org_${this.slug}.`), values.length > 0 ? [...values] : undefined)
  }
}

/** Opens one for the tests of a file. */
export function plantedHistory(): PlantedHistory {
  const history = new PlantedHistory()
  beforeAll(() => history.open())
  afterAll(() => history.close())
  beforeEach(() => history.begin())
  afterEach(() => history.end())
  return history
}
