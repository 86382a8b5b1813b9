import { newId } from "../../../src/signal/id.ts"
import type { Alter, Altered } from "./simulated-database.ts"
import type { SentStatement } from "./simulated-server.ts"

/** An engine that is broken on purpose. */
export interface Sabotage {
  readonly name: string
  /** Promises of which one must be found broken. */
  readonly breaks: readonly string[]
  /** What must be said of it, for one that another check would find by accident. */
  readonly says?: RegExp
  /** The first seed that is tried, near one with which it was found. */
  readonly seed: number
  /** Makes the change, for one seed. It leaves a statement that it does not change as it is. */
  readonly alter: () => Alter
}

/** A text in statements of some names, and what is put in its place. */
interface Rewriting {
  readonly statements: readonly string[]
  readonly from: string
  readonly to: string
}

interface RewritingSabotage extends Omit<Sabotage, "alter"> {
  readonly rewritings: readonly Rewriting[]
}

const HOLDERS = ["completeDeliveries", "insertSignals", "settleDeliveries", "extendLeases", "releaseDeliveries"]
const CLAIMS = ["claimDeliveries", "claimByKey"]

const REWRITINGS: readonly RewritingSabotage[] = [
  {
    name: "whoever ran a delivery may book it, under any token",
    breaks: ["I5"],
    seed: 16,
    rewritings: [{ statements: HOLDERS, from: "and delivery.lease_token = held.lease_token", to: "" }],
  },
  {
    name: "attempts are counted when they are booked",
    breaks: ["I7"],
    seed: 1,
    rewritings: [
      { statements: CLAIMS, from: "attempt = delivery.attempt + 1,", to: "" },
      {
        statements: ["settleDeliveries"],
        from: "attempt = delivery.attempt - case held.outcome when 'snoozed' then 1 else 0 end",
        to: "attempt = delivery.attempt + case held.outcome when 'snoozed' then 0 else 1 end",
      },
    ],
  },
  {
    name: "a claim takes what others hold",
    breaks: ["I5"],
    seed: 1,
    rewritings: [
      { statements: CLAIMS, from: "(delivery.leased_until is null or delivery.leased_until <= now())", to: "true" },
    ],
  },
  {
    name: "a return keeps the token",
    breaks: ["I5"],
    seed: 1,
    rewritings: [
      {
        statements: ["releaseDeliveries", "settleDeliveries"],
        from: "lease_token = delivery.lease_token + 1",
        to: "lease_token = delivery.lease_token",
      },
    ],
  },
  {
    name: "what a lost worker held waits for half a minute more",
    breaks: ["I8"],
    says: /taken over/,
    seed: 1,
    rewritings: [
      {
        statements: CLAIMS,
        from: "delivery.leased_until <= now()",
        to: "delivery.leased_until <= now() - interval '30 seconds'",
      },
    ],
  },
  {
    name: "a failed delivery does not hold up those behind it",
    breaks: ["M4"],
    seed: 1,
    rewritings: [{ statements: ["claimByKey"], from: "($10::text <> 'first' or", to: "(true or" }],
  },
  {
    name: "nobody counts what runs",
    breaks: ["concurrency"],
    seed: 11,
    rewritings: [{ statements: ["countSlots"], from: "count(*) filter", to: "0 * count(*) filter" }],
  },
  {
    name: "nobody counts what was begun",
    breaks: ["rate"],
    seed: 1,
    rewritings: [{ statements: ["selectSpent"], from: "coalesce(sum(count), 0)", to: "0" }],
  },
  {
    name: "any of a burst runs",
    breaks: ["debounce"],
    seed: 1,
    rewritings: [{ statements: ["claimByKey"], from: "($10::text <> 'last' or delivery.position", to: "(true or 0" }],
  },
  {
    name: "what was given up is forgotten",
    breaks: ["I6"],
    seed: 1,
    rewritings: [
      { statements: ["settleDeliveries"], from: "from closed where outcome = 'dead'", to: "from closed where false" },
    ],
  },
  {
    name: "deliveries are made for some handlers only",
    breaks: ["I3"],
    seed: 1,
    rewritings: [
      { statements: ["insertSignals"], from: "where (signal_id in", to: "where kind <> 2 and (signal_id in" },
    ],
  },
  {
    name: "older code runs what was made for newer code",
    breaks: ["P8"],
    seed: 2,
    rewritings: [{ statements: CLAIMS, from: "delivery.version <= ", to: "0 <= " }],
  },
  {
    name: "a reader goes by the time of a signal",
    breaks: ["I9"],
    seed: 1,
    rewritings: [
      {
        statements: ["selectInOrder"],
        from: "order by tx_id, position limit $6",
        to: "order by occurred_at desc limit 1",
      },
    ],
  },
  {
    name: "a slot of a schedule is passed by",
    breaks: ["T4"],
    seed: 1,
    rewritings: [
      {
        statements: ["finishSlot"],
        from: "next_slot = $4::timestamptz",
        to: "next_slot = $4::timestamptz + interval '3 seconds'",
      },
    ],
  },
  {
    name: "causes are not kept",
    breaks: ["I4"],
    seed: 1,
    rewritings: [{ statements: ["insertSignals"], from: "where (effect_id in", to: "where false and (effect_id in" }],
  },
]

/** What a naive build gets wrong, one thing at a time. */
export const SABOTAGES: readonly Sabotage[] = [
  ...REWRITINGS.map(({ rewritings, ...rest }) => ({
    ...rest,
    alter: () => (statement: SentStatement) => rewrite(statement, rewritings),
  })),
  {
    name: "ids are made anew in the retry loop",
    breaks: ["I1"],
    says: /stored 2 times/,
    seed: 1,
    alter: idsOfEachTry,
  },
  { name: "leases go by the worker's clock", breaks: ["I5"], seed: 9, alter: workersClock },
  { name: "what was not booked is taken for booked", breaks: ["I6"], seed: 9, alter: () => asIfBooked },
]

function rewrite(statement: SentStatement, rewritings: readonly Rewriting[]): Altered {
  const text = rewritings
    .filter(({ statements }) => statements.includes(statement.name))
    .reduce((changed, { from, to }) => changed.replaceAll(from, to), statement.text)
  return text === statement.text ? statement : { ...statement, text }
}

/** The same signals that are sent once more get other ids, and the engine is answered as if they were those it sent. */
function idsOfEachTry(): Alter {
  const sent = new Set<string>()
  return (statement) => {
    const { name, values } = statement
    const [records] = values
    if (name !== "insertSignals" || typeof records !== "string") return statement
    if (!sent.has(records)) {
      sent.add(records)
      return statement
    }
    // The first parameter is the list of records.
    const ids = (JSON.parse(records) as readonly { readonly id: string }[]).map(({ id }) => ({ old: id, new: newId() }))
    const renamed = values.map((value) =>
      typeof value === "string" ? ids.reduce((text, id) => text.replaceAll(id.old, id.new), value) : value,
    )
    return { ...statement, values: renamed, answer: (rows) => rows.map((row) => withOldId(row, ids)) }
  }
}

function withOldId(row: object, ids: readonly { readonly old: string; readonly new: string }[]): object {
  const id: unknown = Reflect.get(row, "id")
  return { ...row, id: ids.find((each) => each.new === id)?.old ?? id }
}

/** Statements are changed where they are sent, so `Date.now` is the sender's clock. */
function workersClock(): Alter {
  return (statement) => {
    if (!CLAIMS.includes(statement.name)) return statement
    const now = `timestamptz '${new Date(Date.now()).toISOString()}'`
    return { ...statement, text: statement.text.replaceAll("now()", now) }
  }
}

/** Statements that book answer with the places of those that they did not book. */
function asIfBooked(statement: SentStatement): Altered {
  if (!HOLDERS.includes(statement.name)) return statement
  return { ...statement, answer: (rows) => rows.filter((row) => typeof Reflect.get(row, "n") !== "number") }
}
