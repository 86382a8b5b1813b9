import { createFleet, type Fleet } from "../../src/fleet.ts"
import type { FleetOptions } from "../../src/fleet/options.ts"
import { DEFAULT_WORKER_SETTINGS } from "../../src/delivery/worker.ts"
import {
  type ClusterOptions,
  type ClusterTemplate,
  createStandbyTemplate,
} from "../../test/support/postgres-cluster.ts"
import { startTcpProxy, type TcpProxy } from "../../test/support/tcp-proxy.ts"
import type { Closing } from "./closing.ts"
import { type FaultPostgres, startFaultPostgres } from "./fault-postgres.ts"
import { type HandlerSetRef, loadHandlers, lookAtHandlers } from "./handlers/load.ts"
import { checkInvariants } from "./invariants/check.ts"
import type { Askable, Evidence } from "./invariants/evidence.ts"
import { rememberTerminals } from "./invariants/i5-i7-attempts.ts"
import { createLedgerDatabase } from "./ledger/database.ts"
import { Ledger } from "./ledger/ledger.ts"
import { type RecordedEmit, recordEmits } from "./ledger/recorded-emit.ts"
import type { Load } from "./load.ts"
import {
  type FleetProcess,
  type FleetProcessOptions,
  spawnFleetProcess,
  type StartedProcess,
} from "./processes/fleet-process.ts"
import type { Figures, InvariantId, Scale } from "./scenario.ts"
import { type RunningTail, startTail, type TailRequest } from "./tail.ts"

/** How long subscribers may take to see what is committed when I9 is checked, milliseconds. */
const CATCH_UP_MS = 10_000

/** A proxy in front of a cluster, with its URL. */
export interface FaultProxy extends TcpProxy {
  readonly url: string
}

/** A fleet in the scenario's own process. */
export interface StageFleetOptions extends Omit<FleetOptions, "handlers" | "databaseUrl" | "database"> {
  /** Without a URL it is embedded, in `dataDirectory`. */
  readonly database: { readonly url?: string }
  /** Default: `record`. */
  readonly handlers?: HandlerSetRef
}

/** What an invariant is checked with; the defaults fit most scenarios. */
export interface CheckOptions {
  /** Default: the first cluster of the stage. */
  readonly database?: Askable
  /** Sets that fan-out went by. Default: all that the stage was given. */
  readonly handlers?: readonly HandlerSetRef[]
  /** Lease and poll of the workers, milliseconds. Default: the product's. */
  readonly leaseMs?: number
  readonly pollMs?: number
}

/** What the stage is built with. */
export interface StageDeps {
  readonly scenario: string
  readonly scale: Scale
  readonly closing: Closing
  readonly log: (text: string) => void
  readonly template: ClusterTemplate
  /** The server of the ledgers, as its superuser. */
  readonly ledgerServerUrl: string
}

/** What a scenario plays on. Whatever it makes is closed after the scenario, the last one first. */
export class Stage {
  readonly scale: Scale
  readonly #deps: StageDeps
  readonly #clusters: FaultPostgres[] = []
  readonly #sets = new Map<string, HandlerSetRef>()
  #ledger: Promise<Ledger> | undefined

  constructor(deps: StageDeps) {
    this.#deps = deps
    this.scale = deps.scale
  }

  /** The first value in the short scale, the second in the long one. */
  sized<Value>(short: Value, long: Value): Value {
    return this.scale === "short" ? short : long
  }

  /** Has something done after the scenario, whatever becomes of it. */
  cleanup(what: string, close: () => unknown): void {
    this.#deps.closing.add(what, close)
  }

  /** A line for whoever looks on. */
  log(text: string): void {
    this.#deps.log(text)
  }

  /** A private Postgres, with fsync on and 200 connections unless `settings` say otherwise. */
  async postgres(options: Pick<ClusterOptions, "settings" | "directory"> = {}): Promise<FaultPostgres> {
    const settings = { max_connections: "200", ...options.settings }
    const cluster = await startFaultPostgres({ ...options, settings, template: this.#deps.template })
    this.cleanup("a Postgres cluster", cluster.remove)
    this.#clusters.push(cluster)
    return cluster
  }

  /**
   * A standby that follows a cluster, which knows it as `standby`. `select pg_promote()` makes it a primary. It runs
   * with fsync off, since Postgres syncs all files of a copy before it starts: it may be killed, as its machine may not.
   */
  async standby(primary: FaultPostgres): Promise<FaultPostgres> {
    const template = await createStandbyTemplate(primary.url, this.#deps.template)
    const standby = await startFaultPostgres({ template, settings: { max_connections: "200", fsync: "off" } })
    this.cleanup("a standby", standby.remove)
    await template.remove()
    return standby
  }

  /** A TCP proxy in front of a cluster. */
  async proxy(cluster: FaultPostgres): Promise<FaultProxy> {
    const proxy = await startTcpProxy(cluster.port)
    this.cleanup("a proxy", proxy.close)
    return { ...proxy, url: Object.assign(new URL(cluster.url), { port: String(proxy.port) }).href }
  }

  /** The scenario's outside ledger, always the same one. */
  ledger(): Promise<Ledger> {
    this.#ledger ??= this.#openLedger()
    return this.#ledger
  }

  async #openLedger(): Promise<Ledger> {
    const url = await createLedgerDatabase(this.#deps.ledgerServerUrl, this.#deps.scenario)
    const ledger = new Ledger(url)
    this.cleanup("the ledger", () => ledger.close())
    return ledger
  }

  /** A fleet in the scenario's own process, without a worker unless the options say otherwise. */
  async fleet({ database, handlers: ref = { set: "record" }, ...options }: StageFleetOptions): Promise<Fleet> {
    this.#note(ref)
    const ledger = await this.ledger()
    const workerName = (): string => fleet.workerName
    const handlers = await loadHandlers(ref, { ledger, workerName, pass: async () => {} })
    const fleet: Fleet = createFleet({ worker: false, ...options, databaseUrl: database.url, handlers })
    this.cleanup("a fleet", () => fleet.stop({ graceMs: 0 }))
    await fleet.start()
    return fleet
  }

  /** The emit of a fleet in this process with the ledger around it. */
  async recorder(fleet: Fleet): Promise<RecordedEmit> {
    return recordEmits(fleet, await this.ledger())
  }

  /** A fleet in a process of its own that runs handlers, at the product's defaults. Resolves when it runs. */
  async worker(options: FleetProcessOptions): Promise<FleetProcess> {
    const { process, ready } = await this.spawn(options)
    await ready
    return process
  }

  /** The same, for whoever does not want to wait until it runs, since it may never get there. */
  async spawn(options: FleetProcessOptions): Promise<StartedProcess> {
    this.#note(options.handlers ?? { set: "record" })
    const { url } = await this.ledger()
    const started = spawnFleetProcess(options, url)
    this.cleanup(`process ${started.process.pid}`, () => {
      started.process.kill("SIGKILL")
      return started.process.exited
    })
    return started
  }

  /** A process that emits without running handlers, every call in the ledger. `tell("stopLoad")` ends that. */
  async emitter(options: FleetProcessOptions & { readonly load: Load }): Promise<FleetProcess> {
    const process = await this.worker({ ...options, fleet: { ...options.fleet, worker: false } })
    await process.tell("startLoad", options.load)
    return process
  }

  /** A subscriber of a tenant's signals on a fleet of this process; on a process, `tell("startTail", ...)` does the same. */
  async tail(fleet: Fleet, request: TailRequest): Promise<RunningTail> {
    const tail = await startTail(fleet, await this.ledger(), request)
    this.cleanup(`subscriber ${request.name}`, tail.stop)
    return tail
  }

  /**
   * Checks invariants of the product's database against the ledger.
   *
   * @returns figures for the report: how many calls, invocations, repeated effects, signals
   * @throws Error that lists every violation
   */
  async check(ids: readonly InvariantId[], options: CheckOptions = {}): Promise<Figures> {
    const evidence = await this.#evidence(options)
    await checkInvariants(ids, evidence)
    const [figures] = await evidence.ledger.query<Record<string, string>>(
      `select (select count(*) from calls) as calls, (select count(*) from calls where outcome <> 'ok') as "callsNotOk",
         (select count(*) from invocations) as invocations, (select count(*) from effects) as effects,
         (select coalesce(sum(tries - 1), 0) from effects) as "repeatedEffects"`,
    )
    return Object.fromEntries(Object.entries(figures ?? {}).map(([name, count]) => [name, Number(count)]))
  }

  /** Keeps the terminal states as they are now: I6 then proves that they are the same at the end. */
  async rememberTerminals(options: CheckOptions = {}): Promise<void> {
    await rememberTerminals(await this.#evidence(options))
  }

  #note(ref: HandlerSetRef): void {
    this.#sets.set(JSON.stringify(ref), ref)
  }

  async #evidence(options: CheckOptions): Promise<Evidence> {
    const { database = this.#clusters[0], handlers = [...this.#sets.values()] } = options
    if (!database) throw new Error("expected a cluster to check; make one with stage.postgres()")
    const all = (await Promise.all(handlers.map(lookAtHandlers))).flat()
    return {
      product: database,
      ledger: await this.ledger(),
      // Two versions of a set have handlers of the same names.
      handlers: [...new Map(all.map((handler) => [handler.name, handler])).values()],
      leaseMs: options.leaseMs ?? DEFAULT_WORKER_SETTINGS.leaseMs,
      pollMs: options.pollMs ?? DEFAULT_WORKER_SETTINGS.pollMs,
      catchUpMs: CATCH_UP_MS,
    }
  }
}
