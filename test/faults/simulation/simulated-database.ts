import type { Database, OwnerDatabase, Transaction } from "../../../src/store/database.ts"
import { statementName } from "../../../src/store/observed-database.ts"
import { databaseClosed } from "../../../src/store/turns.ts"
import type { Machine } from "./machine.ts"
import { connectionLost, type Fate, type Network, refusal, unreachable } from "./network.ts"
import type { SentStatement, Session, SimulatedServer } from "./simulated-server.ts"
import type { Trace } from "./trace.ts"
import type { VirtualTime } from "./virtual-time.ts"

/** A statement as it is sent in the place of another one. */
export interface Altered extends SentStatement {
  /** What is answered in the place of its rows. */
  readonly answer?: (rows: readonly object[]) => readonly object[]
}

/** Changes a statement on its way, to break the engine on purpose. */
export type Alter = (statement: SentStatement) => Altered

/** What a machine reaches the server with. */
export interface Wire {
  readonly machine: Machine
  readonly server: SimulatedServer
  readonly network: Network
  readonly time: VirtualTime
  readonly trace: Trace
  readonly alter: Alter
}

/** How long a client waits for an answer. */
const GIVE_UP_MS = 10_000
/** Messages of a transaction take no longer, for it keeps all others waiting. */
const LONGEST_IN_TRANSACTION_MS = 300

/** The database as one machine sees it: a server at the other end of a network where things go wrong. */
export function simulatedDatabase(wire: Wire): Database {
  const { machine, network, server } = wire
  let isClosed = false
  const whileOpen = <Result>(run: () => Promise<Result>): Promise<Result> =>
    isClosed ? Promise.reject(databaseClosed()) : run()
  const query: Database["query"] = async <Row extends object>(text: string, values: readonly unknown[] = []) => {
    const { answer, ...statement } = wire.alter({ name: statementName(text), text, values })
    const carryOut = () => server.query(machine, statement)
    const rows = await whileOpen(() => send(wire, statement.name, network.fate(machine, statement.name), carryOut))
    // The statement's author says what its rows are.
    return (answer?.(rows) ?? rows) as readonly Row[]
  }
  const own: OwnerDatabase = {
    query,
    script: (text) =>
      whileOpen(() => send(wire, "script", network.fate(machine, "script"), () => server.script(machine, text))),
    transaction: (run) => whileOpen(() => transact(wire, run)),
  }
  return {
    kind: "server",
    hears: true,
    hot: { query, of: () => ({ query }) },
    of: () => ({ query }),
    ...own,
    owner: own,
    listen: async (_channel, events) => {
      await whileOpen(() => send(wire, "listen", network.fate(machine, "listen"), async () => {}))
      const unlisten = server.listen(machine, events)
      return async () => unlisten()
    },
    poolUse: () => ({ total: 1, idle: 1, waiting: 0 }),
    close: async () => {
      isClosed = true
    },
  }
}

/** Sends something to the server and waits for the answer, as long as a client does. */
function send<Result>(wire: Wire, name: string, fate: Fate, carryOut: () => Promise<Result>): Promise<Result> {
  const { machine, server, network, time, trace } = wire
  const answered = network.sent(machine)
  return new Promise<Result>((resolve, reject) => {
    const fail = (how: string, error: Error, ms: number): void => {
      trace.stress(`${machine.name} ${name}: ${how}`)
      time.after(ms, machine, () => reject(error))
    }
    if (network.isCut(machine)) return fail("not sent", unreachable(), network.failureMs())
    const patience = time.after(GIVE_UP_MS, machine, () => reject(connectionLost()))
    const arrive = async (): Promise<void> => {
      const isAlone = !machine.isAlive && !fate.outlivesSender
      if (isAlone || fate.kind === "lost before" || network.isCut(machine))
        return fail("lost on its way", connectionLost(), network.failureMs())
      if (fate.kind === "refused") return fail(`refused with ${fate.code}`, refusal(fate.code), fate.answerMs)
      const result = await carryOut()
      trace.note(`${machine.name} ${name}: ${described(result)}`)
      if (fate.kind === "lost after" || network.isCut(machine))
        return fail("its answer is lost", connectionLost(), network.failureMs())
      // Of an answer that comes to nobody nothing is left to be done.
      if (time.now + fate.answerMs > patience.at) return
      time.after(fate.answerMs, machine, () => {
        patience.isCancelled = true
        resolve(result)
      })
    }
    const arrived = network.sent(server.machine)
    time.after(fate.requestMs, server.machine, () => {
      arrive()
        .catch((error: Error) => fail(`fails: ${error.message}`, error, fate.answerMs))
        .finally(arrived)
    })
  }).finally(answered)
}

function described(result: unknown): string {
  return Array.isArray(result) ? `${result.length} rows` : "done"
}

/** One piece of a transaction that is under way at the client. */
interface ClientRun<Result> {
  readonly session: Session
  readonly done: Promise<Result>
}

/** A transaction of a client. It ends for the client when the client's own code has ended, as with any driver. */
async function transact<Result>(wire: Wire, run: (tx: Transaction) => Promise<Result>): Promise<Result> {
  const { machine, server, time } = wire
  const [begin, commit] = [fateWithin(wire, "begin"), fateWithin(wire, "commit")]
  await send(wire, "begin", begin, async () => {})
  let client: ClientRun<Result> | undefined
  const committed = server.transaction(machine, async (tx, session) => {
    const done = time.on(machine, () => run(clientTransaction(wire, tx, session)))
    client = { session, done }
    const result = await done
    // The answer that may be lost is the one that says it is committed.
    const asked: Fate = commit.kind === "lost after" ? { ...commit, kind: "ok" } : commit
    await pass(wire, session, "commit", asked, () => server.within(session, "commit", async () => {}))
    return result
  })
  const end = await ending(wire, committed, commit.answerMs)
  const own = await client?.done.then(
    () => undefined,
    (error: unknown) => ({ error }),
  )
  if (own) throw own.error
  if (end.error !== undefined) throw end.error
  if (commit.kind === "lost after") throw lostAnswer(wire)
  // Nothing failed, so it is there.
  return end.result as Result
}

interface Ending<Result> {
  readonly result?: Result
  readonly error?: unknown
}

/** How a transaction ended, once the client hears of it; never when the client is dead. */
function ending<Result>(
  { machine, time }: Wire,
  committed: Promise<Result>,
  answerMs: number,
): Promise<Ending<Result>> {
  return new Promise((resolve) => {
    const tell = (ending: Ending<Result>): void => void time.after(answerMs, machine, () => resolve(ending))
    committed.then(
      (result) => tell({ result }),
      (error: unknown) => tell({ error }),
    )
  })
}

function lostAnswer({ machine, trace }: Wire): Error {
  trace.stress(`${machine.name} commit: its answer is lost`)
  return connectionLost()
}

/** What becomes of a message of a transaction: it may be lost, but does not take long. */
function fateWithin({ network, machine }: Wire, name: string): Fate {
  const fate = network.fate(machine, name)
  const { requestMs, answerMs } = fate
  return {
    ...fate,
    requestMs: Math.min(requestMs, LONGEST_IN_TRANSACTION_MS),
    answerMs: Math.min(answerMs, LONGEST_IN_TRANSACTION_MS),
  }
}

function clientTransaction(wire: Wire, tx: Transaction, session: Session): Transaction {
  const { alter, server } = wire
  return {
    query: async <Row extends object>(text: string, values: readonly unknown[] = []) => {
      const statement = alter({ name: statementName(text), text, values })
      const carryOut = () => server.queryWithin(session, tx, statement)
      // The statement's author says what its rows are.
      return (await pass(wire, session, statement.name, fateWithin(wire, statement.name), carryOut)) as readonly Row[]
    },
    script: (text) =>
      pass(wire, session, "script", fateWithin(wire, "script"), () =>
        server.within(session, "script", () => tx.script(text)),
      ),
  }
}

/** A part of a transaction. When it is lost or refused, the transaction is over and is taken back. */
async function pass<Result>(
  wire: Wire,
  session: Session,
  name: string,
  fate: Fate,
  carryOut: () => Promise<Result>,
): Promise<Result> {
  if (session.isOver) throw connectionLost()
  try {
    return await send(wire, name, fate, () => (session.isOver ? session.ended : carryOut()))
  } catch (error) {
    session.end()
    throw error
  }
}
