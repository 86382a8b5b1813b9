import { isFleetPromptError } from "../../errors.ts"
import type { ContractRunner } from "../contract-runner.ts"
import type { RawOptions } from "./adapter-options.ts"
import { type AnyDispatchAdapter, createDispatcher } from "./dispatcher.ts"
import { createSignal, type Signal } from "../signal.ts"

/** An adapter with what its test needs. */
export interface DispatchFixture {
  readonly adapter: AnyDispatchAdapter
  /** Options with which signals arrive. */
  readonly options: RawOptions
  /** Options that must be refused, each set for one fault. */
  readonly invalid?: readonly RawOptions[]
  /** Texts in the options above that no message may show. */
  readonly secrets?: readonly string[]
  /** The signals that arrived so far, whole. Left out where nothing can be seen of them. */
  readonly received?: () => readonly Signal[] | Promise<readonly Signal[]>
  /** Options with which a delivery fails. */
  readonly failing?: RawOptions
  /** Options with which a delivery does not end before it is aborted. */
  readonly hanging?: RawOptions
  /** Called after the test. */
  readonly dispose?: () => void | Promise<void>
}

/** Makes a new fixture for one test. */
export type CreateDispatchFixture = () => DispatchFixture | Promise<DispatchFixture>

/**
 * Registers the tests that every dispatch adapter must pass. The runner's functions are passed in, so
 * that nothing here depends on one.
 *
 * @example
 * import { expect, test } from "vitest"
 * import { dispatchContract, noopAdapter } from "fleetprompt/signal"
 *
 * dispatchContract("noop", () => ({ adapter: noopAdapter(), options: {} }), { test, expect })
 */
export function dispatchContract(name: string, create: CreateDispatchFixture, runner: ContractRunner): void {
  const context: Context = {
    expect: runner.expect,
    contractTest: (title, run) =>
      void runner.test(`${name}: ${title}`, async () => {
        const fixture = await create()
        try {
          await run(fixture)
        } finally {
          await fixture.dispose?.()
        }
      }),
  }
  optionsContract(context)
  deliveryContract(context)
  failureContract(context)
}

interface Context {
  readonly expect: ContractRunner["expect"]
  readonly contractTest: (title: string, run: (fixture: DispatchFixture) => Promise<void>) => void
}

/** Codes that say what a failed delivery means. */
const FAILURES: ReadonlySet<unknown> = new Set(["dispatch_failed", "dispatch_refused", "dispatch_gone", "circuit_open"])

function optionsContract({ expect, contractTest }: Context): void {
  contractTest("has a name that a dispatch can use", async ({ adapter }) => {
    expect(/^[a-z][a-z0-9_]*$/.test(adapter.name)).toEqual(true)
  })

  contractTest("takes its options without changing them", async ({ adapter, options }) => {
    const copy = structuredCopy(options)
    adapter.validate(deepFreeze(options))
    adapter.validate(options)
    expect(structuredCopy(options)).toEqual(copy)
  })

  contractTest("refuses wrong options when a dispatch is set up, and shows no secret", async (fixture) => {
    const dispatcher = createDispatcher({ adapters: [fixture.adapter] })
    for (const options of fixture.invalid ?? []) {
      const error = thrownBy(() => dispatcher.prepare({ ...options, to: fixture.adapter.name }))
      expect({ options: Object.keys(options), code: codeOf(error) }).toEqual({
        options: Object.keys(options),
        code: "dispatch_invalid",
      })
      expect(shown(error, fixture)).toEqual([])
    }
  })
}

function deliveryContract({ expect, contractTest }: Context): void {
  contractTest("hands a signal on as it is", async ({ adapter, options, received }) => {
    const dispatcher = createDispatcher({ adapters: [adapter] })
    const signal = sample(1)
    await dispatcher.dispatch(signal, { ...options, to: adapter.name })
    if (received) expect(await received()).toEqual([signal])
  })

  contractTest("hands each of many signals on, at once", async ({ adapter, options, received }) => {
    const dispatcher = createDispatcher({ adapters: [adapter] })
    const prepared = dispatcher.prepare({ ...options, to: adapter.name })
    const signals = Array.from({ length: 10 }, (_, n) => sample(n))
    await Promise.all(signals.map((signal) => dispatcher.dispatch(signal, prepared)))
    if (received) expect(idsOf(await received())).toEqual(idsOf(signals))
  })
}

function failureContract({ expect, contractTest }: Context): void {
  contractTest("says with a code why a signal did not arrive, and shows no secret", async (fixture) => {
    if (!fixture.failing) return
    const { adapter, failing } = fixture
    const dispatcher = createDispatcher({ adapters: [adapter] })
    const error = await rejectionOf(dispatcher.dispatch(sample(1), { ...failing, to: adapter.name }))
    expect(FAILURES.has(codeOf(error))).toEqual(true)
    expect(shown(error, fixture)).toEqual([])
  })

  contractTest("stops when it is aborted", async ({ adapter, hanging }) => {
    if (!hanging) return
    const checked = adapter.validate(hanging)
    const controller = new AbortController()
    const context = { abort: controller.signal, attempt: 1 }
    // What this adapter's own validate returned is what its deliver takes.
    const delivered = rejectionOf(Promise.resolve(adapter.deliver(sample(1), checked as never, context)))
    controller.abort(new Error("gone"))
    expect((await delivered) === undefined).toEqual(false)
  })
}

function sample(n: number): Signal {
  return createSignal({
    type: "lead.received",
    source: "/crm",
    subject: `lead:${n}`,
    time: "2026-01-31T12:00:00.000Z",
    data: { n, name: "Zoë 😀", nested: [1, 2.5, null, { deep: true }] },
    tenant: "acme",
  })
}

function idsOf(signals: readonly Signal[]): readonly string[] {
  return signals.map(({ id }) => id).toSorted()
}

/** Options may hold functions, which structuredClone refuses; they are compared by identity. */
function structuredCopy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(structuredCopy)
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, structuredCopy(each)]))
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value
  Object.values(value).forEach(deepFreeze)
  return Object.freeze(value)
}

function codeOf(error: unknown): string | undefined {
  return isFleetPromptError(error) ? error.code : undefined
}

/** The secrets that an error shows, also in its causes. */
function shown(error: unknown, { secrets = [] }: DispatchFixture): readonly string[] {
  let text = ""
  for (let at: unknown = error; at instanceof Error; at = at.cause) text += `${at.message}\n`
  return secrets.filter((secret) => text.includes(secret))
}

function thrownBy(run: () => unknown): unknown {
  try {
    run()
    return undefined
  } catch (error) {
    return error
  }
}

async function rejectionOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work
    return undefined
  } catch (error) {
    return error
  }
}
