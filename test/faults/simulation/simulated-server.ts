import type { Database, ListenEvents, Transaction } from "../../../src/store/database.ts"
import { CHANNEL } from "../../../src/store/announcements.ts"
import { Turns } from "../../../src/store/turns.ts"
import { Machine } from "./machine.ts"
import { connectionLost, type Network } from "./network.ts"
import { queryPrepared } from "./prepared-statements.ts"
import type { Random } from "./random.ts"
import type { Trace } from "./trace.ts"
import { BEGINNING_MS, type VirtualTime } from "./virtual-time.ts"

/** A statement that was carried out. */
export interface CarriedOut {
  /** When, microseconds since the simulation began: no two have the same. */
  readonly instant: number
  /** Who sent it. */
  readonly sender: string
  readonly name: string
}

/** A statement as it comes over the network. */
export interface SentStatement {
  readonly name: string
  readonly text: string
  readonly values: readonly unknown[]
}

/** An open transaction, as its client knows it. */
export interface Session {
  readonly machine: Machine
  /** Rejects when the server ends the session. */
  readonly ended: Promise<never>
  /** Ends it: what was not committed is taken back. */
  readonly end: () => void
  isOver: boolean
  /** When its client was last heard. */
  heardAt: number
}

/** A transaction whose client says nothing for so long is taken back. */
const IDLE_MS = 2_000
/** How long a statement waits while another's transaction is open. */
const TURN_MS = 10_000

interface Listener {
  readonly machine: Machine
  readonly events: ListenEvents
}

/**
 * One Postgres for all machines: the embedded database, by the simulation's time. Its clock is `Date.now`, which
 * shows another microsecond for each statement, so that what a statement wrote is told by its time. It has one connection;
 * statements of others wait while a transaction is open.
 */
export class SimulatedServer {
  readonly machine: Machine
  readonly log: CarriedOut[] = []
  readonly #database: Database
  readonly #time: VirtualTime
  readonly #network: Network
  readonly #trace: Trace
  readonly #sessions = new Set<Session>()
  readonly #listeners = new Set<Listener>()
  readonly #turns = new Turns(1, TURN_MS, "the simulated server is busy")
  #unlisten: (() => Promise<void>) | undefined
  #instant = 0

  constructor(database: Database, time: VirtualTime, network: Network, trace: Trace, random: Random) {
    this.#database = database
    this.#time = time
    this.#network = network
    this.#trace = trace
    this.machine = new Machine("server", random)
  }

  /** Whether a transaction is open, so that nobody else may look into the database. */
  get isTaken(): boolean {
    return this.#turns.use().taken > 0
  }

  /** Begins to pass notifications on. */
  async open(): Promise<void> {
    this.#unlisten = await this.#database.listen(CHANNEL, { onMessage: this.#notify, onGap: () => {} })
  }

  async close(): Promise<void> {
    this.endSessions()
    await this.#unlisten?.()
  }

  /** Runs a statement when no transaction is open. */
  async query(sender: Machine, { name, text, values }: SentStatement): Promise<readonly object[]> {
    const run = () => queryPrepared(this.#database, this.#database, text, values)
    return this.#inTurn(() => this.#carryOut(sender, name, run))
  }

  /** Runs statements without parameters when no transaction is open. */
  async script(sender: Machine, text: string): Promise<void> {
    return this.#inTurn(() => this.#carryOut(sender, "script", () => this.#database.script(text)))
  }

  /** Runs a transaction for a client. When its session ends before the client is done, everything is taken back. */
  async transaction<Result>(
    machine: Machine,
    run: (tx: Transaction, session: Session) => Promise<Result>,
  ): Promise<Result> {
    const session = newSession(machine, this.#time.now)
    this.#sessions.add(session)
    try {
      return await this.#inTurn(() =>
        this.#carryOut(machine, "begin", () =>
          this.#database.transaction((tx) => {
            this.#watch(session)
            return session.isOver ? session.ended : Promise.race([run(tx, session), session.ended])
          }),
        ),
      )
    } finally {
      session.isOver = true
      this.#sessions.delete(session)
    }
  }

  /** Runs something within an open transaction. */
  async within<Result>(session: Session, name: string, run: () => Promise<Result>): Promise<Result> {
    session.heardAt = this.#time.now
    this.#watch(session)
    return this.#time.on(this.machine, () => this.#carryOut(session.machine, name, run))
  }

  /** Runs a statement within an open transaction. */
  queryWithin(session: Session, tx: Transaction, { name, text, values }: SentStatement): Promise<readonly object[]> {
    return this.within(session, name, () => queryPrepared(this.#database, tx, text, values))
  }

  /** Ends the open transactions of a machine, or of all. */
  endSessions(machine?: Machine): void {
    for (const session of this.#sessions) if (!machine || session.machine === machine) session.end()
  }

  listen(machine: Machine, events: ListenEvents): () => void {
    const listener = { machine, events }
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** The connections of those that listen broke, and are there again. */
  tellGap(machine?: Machine): void {
    for (const listener of this.#listeners) {
      if (machine && listener.machine !== machine) continue
      this.#time.after(this.#network.failureMs(), listener.machine, () => listener.events.onGap())
    }
  }

  /** Forgets who listened on machines that are dead. */
  forget(machine: Machine): void {
    for (const listener of this.#listeners) if (listener.machine === machine) this.#listeners.delete(listener)
    this.endSessions(machine)
  }

  readonly #notify = (payload: string): void => {
    for (const { machine, events } of this.#listeners) {
      const ms = this.#network.notificationMs()
      if (ms === undefined || this.#network.isCut(machine)) this.#trace.note(`${machine.name} misses a notification`)
      else this.#time.after(ms, machine, () => events.onMessage(payload))
    }
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#time.on(this.machine, () => this.#turns.run(work))
  }

  /** Each statement has a moment of its own. A half of a microsecond more, since Postgres cuts what is less than one. */
  #carryOut<Result>(sender: Machine, name: string, run: () => Promise<Result>): Promise<Result> {
    this.#instant = Math.max(this.#instant + 1, Math.ceil(this.#time.elapsed * 1000))
    this.machine.instantMs = BEGINNING_MS + (this.#instant + 0.5) / 1000
    this.log.push({ instant: this.#instant, sender: sender.name, name })
    return run()
  }

  #watch(session: Session): void {
    const { heardAt } = session
    this.#time.after(IDLE_MS, this.machine, () => {
      if (session.isOver || session.heardAt !== heardAt) return
      this.#trace.stress(`${session.machine.name} left a transaction open, it is taken back`)
      session.end()
    })
  }
}

function newSession(machine: Machine, heardAt: number): Session {
  let end = (): void => {}
  const ended = new Promise<never>((_, reject) => {
    end = () => {
      session.isOver = true
      reject(connectionLost())
    }
  })
  // Nobody waits for a session that ends well.
  ended.catch(() => undefined)
  const session: Session = { machine, ended, end: () => end(), isOver: false, heardAt }
  return session
}
