import { randomUUID } from "node:crypto"
import { LedgerConnection, type LedgerStatement } from "./writer.ts"

/** How a call of emit ended, as its caller saw it. */
export type CallOutcome = "ok" | "unknown" | "failed"

/** A call of emit that is about to be made. */
export interface Call {
  readonly callId: string
  readonly tenant: string
  readonly type: string
  readonly key: string | null
  readonly hash: string
}

/** What came of it. */
export interface CallEnd {
  readonly outcome: CallOutcome
  readonly signalId?: string
  readonly inserted?: boolean
  readonly error?: string
}

/** A handler that was called. */
export interface Invocation {
  readonly tenant: string
  readonly signalId: string
  readonly handler: string
  readonly deliveryId: string
  readonly replayId: string | null
  readonly attempt: number | null
  readonly worker: string
}

/** How a handler's call ended. */
export type InvocationOutcome = "returned" | "snoozed" | "cancelled" | "threw" | "stopped"

/** What a subscriber saw. */
export interface Sighting {
  readonly subscriber: string
  readonly signalId: string
  readonly cursor: string
}

/**
 * The outside ledger of a scenario: who asked for what, what handlers did, what subscribers saw. Every process
 * writes over connections of its own; each call resolves when its row is committed.
 */
export class Ledger {
  /** Where it is, for other processes. */
  readonly url: string
  readonly #connection: LedgerConnection

  constructor(url: string) {
    this.url = url
    this.#connection = new LedgerConnection(url)
  }

  /** Before a call of emit. Repeated for a further try of the same call. */
  callBegins(call: Call): Promise<void> {
    return this.#connection.write(CALL_BEGINS, call)
  }

  /** After it. */
  callEnded(callId: string, end: CallEnd): Promise<void> {
    return this.#connection.write(CALL_ENDED, { callId, ...end })
  }

  /** Before a handler does anything. Returns the invocation's id. */
  async invocationBegins(invocation: Invocation): Promise<string> {
    const id = randomUUID()
    await this.#connection.write(INVOCATION_BEGINS, { id, pid: process.pid, ...invocation })
    return id
  }

  invocationEnded(id: string, outcome: InvocationOutcome, error: string | null = null): Promise<void> {
    return this.#connection.write(INVOCATION_ENDED, { id, outcome, error })
  }

  /** A handler's effect outside: applied the first time that it is asked for, counted every time. */
  effect(invocation: Invocation): Promise<void> {
    return this.#connection.write(EFFECT, invocation)
  }

  /** Makes a subscriber known, before it follows. Returns the cursor of what it saw last, when it was there before. */
  async subscribe(name: string, tenant: string, pattern: string | null): Promise<string | null> {
    const [row] = await this.query<{ cursor: string | null }>(
      `insert into subscribers (name, tenant, pattern) values ($1, $2, $3)
       on conflict (name) do update set tenant = excluded.tenant
       returning (select seen.cursor from seen where subscriber = $1 order by n desc limit 1) as cursor`,
      [name, tenant, pattern],
    )
    return row?.cursor ?? null
  }

  /** What a subscriber saw. One subscriber's sightings keep the order in which this was called. */
  saw(sighting: Sighting): Promise<void> {
    return this.#connection.write(SAW, sighting)
  }

  /** Keeps what somebody of a tenant got to see, for I10. `what` says where: `response`, `log`, `metrics`. */
  output(tenant: string, what: string, text: string): Promise<void> {
    return this.#connection.write(OUTPUT, { tenant, what, text })
  }

  /** Asks the ledger. */
  query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    return this.#connection.query<Row>(text, values)
  }

  /** How many rows of a table fit a condition, an SQL expression. */
  async count(table: "calls" | "invocations" | "effects" | "seen", condition = "true"): Promise<number> {
    const [row] = await this.query<{ count: string }>(`select count(*) as count from ${table} where ${condition}`)
    return Number(row?.count)
  }

  close(): Promise<void> {
    return this.#connection.close()
  }
}

const CALL_BEGINS: LedgerStatement = {
  text: `insert into calls (call_id, tenant, type, key, hash, tries)
    select "callId", tenant, type, key, hash, 1 from json_to_recordset($1::json) as row
      ("callId" text, tenant text, type text, key text, hash text)
    on conflict (call_id) do update set tries = calls.tries + 1`,
}

const CALL_ENDED: LedgerStatement = {
  text: `update calls set outcome = row.outcome, signal_id = coalesce(row."signalId", calls.signal_id),
      inserted = coalesce(row.inserted, calls.inserted), error = row.error, ended_at = clock_timestamp()
    from json_to_recordset($1::json) as row ("callId" text, outcome text, "signalId" text, inserted boolean, error text)
    where calls.call_id = row."callId"`,
}

const INVOCATION_BEGINS: LedgerStatement = {
  text: `insert into invocations (id, pid, tenant, signal_id, handler, delivery_id, replay_id, attempt, worker)
    select id, pid, tenant, "signalId", handler, "deliveryId", "replayId", attempt, worker
    from json_to_recordset($1::json) as row (id uuid, pid integer, tenant text, "signalId" text, handler text,
      "deliveryId" text, "replayId" text, attempt integer, worker text)`,
}

const INVOCATION_ENDED: LedgerStatement = {
  text: `update invocations set outcome = row.outcome, error = row.error, ended_at = clock_timestamp()
    from json_to_recordset($1::json) as row (id uuid, outcome text, error text) where invocations.id = row.id`,
}

/** Several tries of one effect in a batch are added up, since one statement cannot touch a row twice. */
const EFFECT: LedgerStatement = {
  text: `insert into effects (delivery_id, replay_id, tenant, signal_id, handler, tries, worker)
    select "deliveryId", coalesce("replayId", ''), tenant, "signalId", handler, count(*), min(worker)
    from json_to_recordset($1::json) as row ("deliveryId" text, "replayId" text, tenant text, "signalId" text,
      handler text, worker text)
    group by 1, 2, 3, 4, 5
    on conflict (delivery_id, replay_id) do update set tries = effects.tries + excluded.tries`,
}

const SAW: LedgerStatement = {
  text: `insert into seen (subscriber, signal_id, cursor)
    select subscriber, "signalId", cursor from rows from (json_to_recordset($1::json) as
      (subscriber text, "signalId" text, cursor text)) with ordinality as row (subscriber, "signalId", cursor, n)
    order by n`,
}

const OUTPUT: LedgerStatement = {
  text: `insert into outputs (tenant, what, text)
    select tenant, what, text from json_to_recordset($1::json) as row (tenant text, what text, text text)`,
}
