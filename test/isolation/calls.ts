import fc from "fast-check"
import type { Tenant } from "../../src/tenants/tenant.ts"
import { orderArguments } from "./order-calls.ts"
import { HANDLERS, SAME_KEY, type Side, textOf } from "./sides.ts"

/** A function of a tenant's door, by the names that lead to it: `deadLetters.list`. */
export interface Door {
  readonly name: string
  readonly call: (...args: readonly unknown[]) => unknown
}

/** Every function that the door of a tenant has, so that one that is added joins by itself. */
export function doorsOf(tenant: Tenant): readonly Door[] {
  return walk(tenant, "")
}

function walk(value: object, prefix: string): readonly Door[] {
  return Object.entries(value).flatMap(([key, each]: [string, unknown]) => {
    const name = `${prefix}${key}`
    if (typeof each === "function")
      // An unknown function is called with anything: that is what is tried here.
      return [{ name, call: (...args: readonly unknown[]): unknown => Reflect.apply(each, value, args) }]
    return typeof each === "object" && each !== null ? walk(each, `${name}.`) : []
  })
}

/** A call that somebody makes up who knows all ids of another tenant. */
export interface MadeUpCall {
  readonly name: string
  readonly args: readonly unknown[]
}

/** Calls in the shapes that the doors take, with what the other tenant has in every place. */
export function aCall(names: readonly string[], other: Side): fc.Arbitrary<MadeUpCall> {
  const some = someArguments(other)
  const orders = fc.oneof(orderArguments(other), some)
  return fc
    .constantFrom(...names)
    .chain((name) =>
      fc.record({ name: fc.constant(name), args: /^(directives|packages)\./.test(name) ? orders : some }),
    )
}

function someArguments(other: Side): fc.Arbitrary<readonly unknown[]> {
  const id = fc.constantFrom(...other.ids)
  const visibilities = fc.constant(["internal", "admin_only"])
  const letter = fc.record({ signalId: id, handler: fc.constantFrom(...HANDLERS) })
  const options = anOption(other)
  const actor = fc.constant({ actor: { id: "mallory", role: "owner" } })
  return fc.oneof(
    fc.tuple(id),
    fc.tuple(id, visibilities),
    fc.tuple(fc.array(id, { maxLength: 4 }), visibilities),
    fc.tuple(id, fc.constantFrom(...HANDLERS)),
    fc.tuple(letter),
    fc.tuple(options),
    fc.tuple(options, actor),
    fc.tuple(id, options),
    fc.tuple(fc.constant("thing.happened"), fc.constant({}), options),
    fc.constant([]),
  )
}

function anOption(other: Side): fc.Arbitrary<object> {
  const id = fc.constantFrom(...other.ids)
  return fc.oneof(
    fc.constant({}),
    fc.constant({ all: true }),
    fc.constant({ filter: {} }),
    fc.record({ signalId: id }),
    fc.record({ filter: fc.record({ correlationId: id }) }),
    fc.record({ limit: fc.constant(500), visibilities: fc.constant(["internal", "admin_only"]) }),
    fc.record({ handler: fc.constantFrom(...HANDLERS, `paused.${other.marker.slice(0, 5)}`) }),
    fc.record({ dedupeKey: fc.constant(SAME_KEY), causationId: id, correlationId: id }),
    fc.record({ source: fc.constant("app"), sourceEventId: fc.constant(SAME_KEY) }),
    fc.record({ limit: fc.constant(500), before: id, after: id, tenant: fc.constant(other.scope.slug) }),
    fc.record({
      from: fc.constantFrom("start", "now"),
      pattern: fc.constant("**"),
      tenant: fc.constant(other.scope.slug),
    }),
    fc.record({ userId: id, id, name: fc.constant("mallory"), role: fc.constant("member") }),
  )
}

const PATIENCE_MS = 60

/** Calls a door as a stranger would, and tells everything that came back, or was thrown, as text. */
export async function answerOf({ call }: Door, args: readonly unknown[]): Promise<string> {
  const abort = new AbortController()
  try {
    const answer: unknown = await within(call(...args), PATIENCE_MS * 20)
    return isIterator(answer) ? await drain(answer) : textOf(answer)
  } catch (error) {
    return textOf(error)
  } finally {
    abort.abort()
  }
}

function isIterator(value: unknown): value is AsyncIterator<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value && "next" in value
}

/** What it shows at once; it may go on for ever. */
async function drain(iterator: AsyncIterator<unknown>): Promise<string> {
  const seen: string[] = []
  try {
    for (let count = 0; count < 50; count++) {
      const next = await within(iterator.next(), PATIENCE_MS)
      if (next === undefined || next.done) break
      seen.push(textOf(next.value))
    }
  } finally {
    void Promise.resolve(iterator.return?.()).catch(() => undefined)
  }
  return seen.join("\n")
}

/** Undefined when it takes longer. */
async function within<Result>(work: Result | Promise<Result>, ms: number): Promise<Result | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), ms)))
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
