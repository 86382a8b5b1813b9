import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { Database, ListenEvents, Queryable, Transaction } from "../src/store/database.ts"
import { databaseValuesContract } from "./database-values-contract.ts"

/** What a database that is tested is made of. */
export interface DatabaseUnderTest {
  readonly database: Database
  /** Called after the tests. */
  readonly dispose: () => Promise<void>
}

/** In which ways databases may differ. */
export interface ContractOptions {
  /** Whether notifications are heard. Default: true. */
  readonly hears?: boolean
}

/** What every database must do. A driver's test calls it with a way to open an empty database. */
export function databaseContract(
  name: string,
  open: () => Promise<DatabaseUnderTest>,
  { hears = true }: ContractOptions = {},
): void {
  describe(`${name} is a database`, () => {
    let database: Database
    let dispose: () => Promise<void>

    beforeAll(async () => {
      const opened = await open()
      database = opened.database
      dispose = opened.dispose
      await database.script("create table facts (key text primary key, value integer)")
    })

    afterAll(async () => {
      await dispose()
    })

    describe("values", () => databaseValuesContract(() => database))
    describe("values of hot statements", () => databaseValuesContract(() => database.hot))
    describe("statements", () => statementsContract(() => database))
    describe("hot statements", () => hotContract(() => database))
    describe("transactions", () => transactionsContract(() => database))
    describe("notifications", () => (hears ? notificationsContract : deafContract)(() => database))
    describe("close", () => closeContract(open))
  })
}

function statementsContract(database: () => Database): void {
  test("rows come in order, as objects", async () => {
    const rows = await database().query("select n, n * 2 as double from generate_series(1, 3) as n order by n desc")
    expect(rows).toEqual([
      { n: 3, double: 6 },
      { n: 2, double: 4 },
      { n: 1, double: 2 },
    ])
  })

  test("a statement without rows answers none", async () => {
    expect(await database().query("delete from facts where key = $1", ["nobody"])).toEqual([])
  })

  test("query refuses a second statement, so that nothing can be smuggled behind one", async () => {
    await expect(database().query("select 1; select 2")).rejects.toMatchObject({ code: "42601" })
    await expect(database().query("select $1::int; select 2", [1])).rejects.toMatchObject({ code: "42601" })
  })

  test("script runs several statements", async () => {
    await database().script("insert into facts values ('script.a', 1); insert into facts values ('script.b', 2);")
    expect(await keys(database(), "script.%")).toEqual(["script.a", "script.b"])
  })

  test("a script that fails changes nothing", async () => {
    const script = "insert into facts values ('half', 1); insert into facts values ('half', 1)"
    await expect(database().script(script)).rejects.toMatchObject({ code: "23505" })
    expect(await keys(database(), "half")).toEqual([])
  })

  test.each([
    ["a unique violation", "insert into facts values ('twice', 1), ('twice', 2)", "23505"],
    ["a missing table", "select * from nowhere", "42P01"],
    ["a syntax error", "selec 1", "42601"],
    [
      "an error of a function",
      "do $$ begin raise exception 'no' using errcode = 'restrict_violation'; end $$",
      "23001",
    ],
  ])("%s carries its code", async (_name, text, code) => {
    await expect(database().query(text)).rejects.toMatchObject({ code })
  })

  test("a disk without room is told by a code of ours, in a transaction too, and all goes on", async () => {
    await expect(database().query(NO_ROOM)).rejects.toMatchObject(TOLD_NO_ROOM)
    await expect(database().script(NO_ROOM)).rejects.toMatchObject(TOLD_NO_ROOM)
    await expect(database().transaction((tx) => tx.query(NO_ROOM))).rejects.toMatchObject(TOLD_NO_ROOM)
    expect(await database().query("select 1 as one")).toEqual([{ one: 1 }])
  })

  test("an error does not carry the statement's values", async () => {
    const error = await failure(database().query("select $1::text::int4 / 0, $2::text", ["1", "hush"]))
    expect(JSON.stringify({ ...error })).not.toContain("hush")
  })

  test("many statements at once are all answered", async () => {
    const numbers = Array.from({ length: 200 }, (_, index) => index)
    const answers = await Promise.all(
      numbers.map((number) => database().query<{ n: number }>("select $1::int as n", [number])),
    )
    expect(answers.map(([row]) => row?.n)).toEqual(numbers)
  })
}

/** What a server answers when it cannot make a file larger. */
const NO_ROOM = "do $$ begin raise exception 'could not extend file' using errcode = 'disk_full'; end $$"
const TOLD_NO_ROOM = {
  code: "database_full",
  message: expect.stringContaining("could not extend file"),
  cause: expect.objectContaining({ code: "53100" }),
}

function hotContract(database: () => Database): void {
  test("a disk without room is told by a code of ours, and all goes on", async () => {
    await expect(database().hot.query(NO_ROOM)).rejects.toMatchObject(TOLD_NO_ROOM)
    expect(await one(database().hot, "select $1::int as n", 1)).toEqual({ n: 1 })
  })

  test("many at once are all answered, each with its own rows", async () => {
    const numbers = Array.from({ length: 500 }, (_, index) => index)
    const answers = await Promise.all(numbers.map((number) => one(database().hot, "select $1::int as n", number)))
    expect(answers).toEqual(numbers.map((n) => ({ n })))
  })

  test("one that fails does not touch those beside it", async () => {
    const numbers = Array.from({ length: 100 }, (_, index) => index % 5)
    const answers = await Promise.allSettled(
      numbers.map((number) => one(database().hot, "select 10 / $1::int as n", number)),
    )
    expect(answers.map((answer) => (answer.status === "fulfilled" ? answer.value : answer.reason.code))).toEqual(
      numbers.map((number) => (number === 0 ? "22012" : { n: Math.floor(10 / number) })),
    )
  })

  test("one whose table is missing tells so to all who ask at once, and works when the table is there", async () => {
    const ask = (): Promise<unknown> => database().hot.query("select * from made_later")
    const refused = await Promise.allSettled(Array.from({ length: 50 }, ask))
    expect(refused).toEqual(
      refused.map(() => ({ status: "rejected", reason: expect.objectContaining({ code: "42P01" }) })),
    )
    await database().script("create table made_later as select 1 as one")
    expect(await Promise.all(Array.from({ length: 50 }, ask))).toEqual(Array.from({ length: 50 }, () => [{ one: 1 }]))
  })

  test("one whose table changes goes on working, with the new columns", async () => {
    const ask = (): Promise<unknown> => database().hot.query("select * from changing")
    await database().script("create table changing as select 1 as one")
    expect(await ask()).toEqual([{ one: 1 }])
    await database().script("alter table changing add column two integer default 2")
    const answers = await Promise.all(Array.from({ length: 50 }, ask))
    expect(answers).toEqual(answers.map(() => [{ one: 1, two: 2 }]))
  })

  test("each refuses a second statement", async () => {
    await expect(database().hot.query("select 1; select 2")).rejects.toMatchObject({ code: "42601" })
  })

  test("one whose values cannot be sent fails alone", async () => {
    const circle: unknown[] = []
    circle.push(circle)
    const asked = [[1], [circle], [2]].map((values) => database().hot.query("select $1::int as n", values))
    const [first, second, third] = await Promise.allSettled(asked)
    expect([first?.status, second?.status, third?.status]).toEqual(["fulfilled", "rejected", "fulfilled"])
    expect(await one(database().hot, "select $1::int as n", 3)).toEqual({ n: 3 })
  })

  test("what they leave is seen by others, and what they use is counted", async () => {
    await database().hot.query("insert into facts values ('hot', $1)", [1])
    expect(await keys(database(), "hot")).toEqual(["hot"])
    const { total, idle, waiting } = database().poolUse()
    expect(total).toBeGreaterThan(0)
    expect([idle, waiting]).toEqual([total, 0])
  })
}

async function one(database: Queryable, text: string, ...values: readonly unknown[]): Promise<object | undefined> {
  const [row] = await database.query(text, values)
  return row
}

function transactionsContract(database: () => Database): void {
  test("commits when run resolves, and gives its result", async () => {
    const result = await database().transaction(async (tx) => {
      await tx.query("insert into facts values ('commit.a', $1)", [1])
      await tx.script("insert into facts values ('commit.b', 2); insert into facts values ('commit.c', 3)")
      return "done"
    })
    expect(result).toBe("done")
    expect(await keys(database(), "commit.%")).toEqual(["commit.a", "commit.b", "commit.c"])
  })

  test("rolls back and rethrows the same error when run throws", async () => {
    const mistake = new Error("no")
    const rolledBack = database().transaction(async (tx) => {
      await tx.query("insert into facts values ('rollback.a', 1)")
      await tx.script("insert into facts values ('rollback.b', 1)")
      throw mistake
    })
    expect(await failure(rolledBack)).toBe(mistake)
    expect(await keys(database(), "rollback.%")).toEqual([])
  })

  test("rethrows what is not an error", async () => {
    // oxlint-disable-next-line typescript/prefer-promise-reject-errors
    expect(await failure(database().transaction(() => Promise.reject(null)))).toBeNull()
  })

  test("rolls back when a statement fails", async () => {
    const failed = database().transaction(async (tx) => {
      await tx.query("insert into facts values ('failed', 1)")
      await tx.query("insert into facts values ('failed', 1)")
    })
    await expect(failed).rejects.toMatchObject({ code: "23505" })
    expect(await keys(database(), "failed")).toEqual([])
  })

  test("throws rather than pretend to commit when run hides that a statement failed", async () => {
    const pretended = database().transaction(async (tx) => {
      await tx.query("insert into facts values ('hidden', 1)")
      await tx.query("insert into facts values ('hidden', 1)").catch(() => undefined)
    })
    await expect(pretended).rejects.toMatchObject({ code: "25P02" })
    expect(await keys(database(), "hidden")).toEqual([])
  })

  test("goes on after a savepoint", async () => {
    await database().transaction(async (tx) => {
      await tx.query("insert into facts values ('savepoint', 1)")
      await tx.query("savepoint before")
      await tx.query("insert into facts values ('savepoint', 2)").catch(() => undefined)
      await tx.query("rollback to savepoint before")
    })
    expect(await keys(database(), "savepoint")).toEqual(["savepoint"])
  })

  test("a constraint that is checked at commit rolls back", async () => {
    await database().script("create table later (key integer unique deferrable initially deferred)")
    const late = database().transaction((tx) => tx.query("insert into later values (1), (1)"))
    await expect(late).rejects.toMatchObject({ code: "23505" })
    expect(await database().query("select * from later")).toEqual([])
  })

  test("statements outside do not mix into a transaction", async () => {
    const begun = signal()
    const outside = begun.promise.then(() => database().query("insert into facts values ('outside', 1)"))
    const failed = database().transaction(async (tx) => {
      await tx.query("insert into facts values ('inside', 1)")
      begun.resolve()
      await tx.query("select 1")
      throw new Error("roll back what is inside")
    })
    await expect(failed).rejects.toThrow("roll back what is inside")
    await outside
    expect(await keys(database(), "%side")).toEqual(["outside"])
  })

  test("statements of one transaction may be asked for at once", async () => {
    const sums = await database().transaction((tx) =>
      Promise.all([1, 2, 3].map((number) => tx.query("select $1::int + 1 as sum", [number]))),
    )
    expect(sums).toEqual([[{ sum: 2 }], [{ sum: 3 }], [{ sum: 4 }]])
  })

  test("transactions that change one row take turns", async () => {
    await database().query("insert into facts values ('counter', 0)")
    await Promise.all(Array.from({ length: 20 }, () => database().transaction(increment)))
    const [row] = await database().query<{ value: number }>("select value from facts where key = 'counter'")
    expect(row?.value).toBe(20)
  })

  test("a statement that comes after the end is refused", async () => {
    let leaked: Transaction | undefined
    await database().transaction(async (tx) => {
      leaked = tx
    })
    await expect(leaked?.query("select 1")).rejects.toMatchObject({ code: "transaction_closed" })
    await expect(leaked?.script("select 1")).rejects.toMatchObject({ code: "transaction_closed" })
  })

  test("after each of these the database still works", async () => {
    expect(await database().query("select 1 as one")).toEqual([{ one: 1 }])
  })
}

async function increment(tx: Transaction): Promise<void> {
  const [row] = await tx.query<{ value: number }>("select value from facts where key = 'counter' for update")
  await tx.query("update facts set value = $1 where key = 'counter'", [(row?.value ?? 0) + 1])
}

function notificationsContract(database: () => Database): void {
  test("are heard", () => {
    expect(database().hears).toBe(true)
  })

  test("are heard by all who listen, in order, with their payload", async () => {
    const [first, second] = [inbox(2), inbox(2)]
    const stops = await Promise.all([database().listen("news", first), database().listen("news", second)])
    await database().query("select pg_notify('news', 'one')")
    await database().query("select pg_notify('news', $1)", ['{"two": "ü"}'])
    expect(await first.messages).toEqual(["one", '{"two": "ü"}'])
    expect(await second.messages).toEqual(["one", '{"two": "ü"}'])
    await Promise.all(stops.map((stop) => stop()))
  })

  test("are heard on their own channel only, whatever its name", async () => {
    const odd = inbox(1)
    const other = inbox(1)
    const stops = [await database().listen('Odd "name"', odd), await database().listen("odd", other)]
    await database().query("select pg_notify($1, 'for odd')", ['Odd "name"'])
    await database().query("select pg_notify('odd', 'for other')")
    expect(await odd.messages).toEqual(["for odd"])
    expect(await other.messages).toEqual(["for other"])
    await Promise.all(stops.map((stop) => stop()))
  })

  test("are heard after the commit, and not at all after a rollback", async () => {
    const heard = inbox(1)
    const stop = await database().listen("news", heard)
    const rolledBack = database().transaction(async (tx) => {
      await tx.query("select pg_notify('news', 'never')")
      throw new Error("no")
    })
    await expect(rolledBack).rejects.toThrow("no")
    await database().transaction((tx) => tx.query("select pg_notify('news', 'committed')"))
    expect(await heard.messages).toEqual(["committed"])
    await stop()
  })

  test("are heard no more after stop, which may be called twice", async () => {
    const stopped = inbox(1)
    const listening = inbox(1)
    const stop = await database().listen("news", stopped)
    const stopOther = await database().listen("news", listening)
    await stop()
    await stop()
    await database().query("select pg_notify('news', 'late')")
    expect(await listening.messages).toEqual(["late"])
    expect(stopped.received).toEqual([])
    await stopOther()
  })
}

function deafContract(database: () => Database): void {
  test("are not heard, which is no error and leaves nothing open", async () => {
    expect(database().hears).toBe(false)
    const deaf = inbox(1)
    const before = database().poolUse().total
    const stop = await database().listen("news", deaf)
    await database().query("select pg_notify('news', 'unheard')")
    await stop()
    await stop()
    expect(deaf.received).toEqual([])
    expect(database().poolUse().total).toBe(before)
  })
}

function closeContract(open: () => Promise<DatabaseUnderTest>): void {
  test("lets finish what is under way, may be called twice, and refuses what comes after", async () => {
    const { database, dispose } = await open()
    const inTransaction = signal()
    const underWay = [
      database.query("select 1 as one"),
      database.hot.query("select 1 as one"),
      database.transaction(async (tx) => {
        inTransaction.resolve()
        await tx.query("select 1")
        return tx.query("select 2 as two")
      }),
    ]
    await inTransaction.promise
    await Promise.all([database.close(), database.close()])
    expect(await Promise.all(underWay)).toEqual([[{ one: 1 }], [{ one: 1 }], [{ two: 2 }]])
    await expect(database.query("select 1")).rejects.toMatchObject({ code: "fleet_stopped" })
    await expect(database.hot.query("select 1")).rejects.toMatchObject({ code: "fleet_stopped" })
    await expect(database.transaction(async () => 1)).rejects.toMatchObject({ code: "fleet_stopped" })
    await expect(database.listen("news", inbox(1))).rejects.toMatchObject({ code: "fleet_stopped" })
    await database.close()
    await dispose()
  })
}

async function keys(database: Database, pattern: string): Promise<readonly string[]> {
  const rows = await database.query<{ key: string }>("select key from facts where key like $1 order by key", [pattern])
  return rows.map(({ key }) => key)
}

async function failure(promise: Promise<unknown>): Promise<object | null | undefined> {
  try {
    await promise
  } catch (error) {
    if (typeof error === "object") return error
  }
  return undefined
}

interface Signal {
  readonly promise: Promise<void>
  readonly resolve: () => void
}

function signal(): Signal {
  let resolve = (): void => {}
  const promise = new Promise<void>((fulfil) => (resolve = fulfil))
  return { promise, resolve }
}

interface Inbox extends ListenEvents {
  readonly received: string[]
  /** Resolves when so many messages have come as were expected. */
  readonly messages: Promise<readonly string[]>
}

function inbox(expected: number): Inbox {
  const received: string[] = []
  const full = signal()
  return {
    received,
    messages: full.promise.then(() => received),
    onGap: () => {},
    onMessage: (payload) => {
      received.push(payload)
      if (received.length === expected) full.resolve()
    },
  }
}
