import type { EmitResult } from "../../../src/emit/emit.ts"
import { isFleetPromptError } from "../../../src/errors.ts"
import type { Fleet } from "../../../src/fleet.ts"
import { TYPES } from "./handlers.ts"
import type { Behaviour, EmitCall, Item } from "./ledger.ts"
import type { CallAction } from "./profile.ts"
import type { SimulatedProcess } from "./simulated-process.ts"
import { TENANT_NAMES } from "./store.ts"
import type { World } from "./world.ts"

/** How often a handler does what. */
const BEHAVIOURS: Readonly<Record<Behaviour, number>> = {
  ok: 50,
  slow: 8,
  throw: 12,
  hang: 3,
  snooze: 5,
  cancel: 3,
  fatal: 3,
}

/** What signals are about; few, so that keys have lines. */
const SUBJECTS = ["thing:1", "thing:2", "thing:3"] as const

/** Calls in one burst. */
const BURST = [4, 10] as const
/** Signals of one batch or transaction. */
const BATCH = [2, 5] as const

/** An item with a key, which may be told again. */
interface Keyed {
  readonly tenant: string
  readonly item: Item
}

/** Thrown by the script itself, to take a transaction back. */
class TakenBack extends Error {}

/** Calls of emit, of each kind. */
export function callActions(world: World): Readonly<Record<CallAction, (process: SimulatedProcess) => void>> {
  const calls = new Calls(world)
  return {
    emit: (process) => calls.emit(process, calls.tenant()),
    repeat: (process) => calls.tellAgain(process, "the same"),
    contradict: (process) => calls.tellAgain(process, "something else"),
    batch: (process) => calls.batch(process),
    transaction: (process) => calls.transaction(process),
    burst: (process) => calls.burst(process),
  }
}

/** Makes items and calls, and notes what came of each call. */
class Calls {
  readonly #world: World
  readonly #keyed: Keyed[] = []
  #facts = 0

  constructor(world: World) {
    this.#world = world
  }

  tenant(): string {
    return this.#world.random.pick(TENANT_NAMES)
  }

  emit(process: SimulatedProcess, tenant: string, type = this.#world.random.pick(TYPES)): void {
    this.#emitOne(process, tenant, this.#item(tenant, type))
  }

  /** Many at once of one type, so that the writer gathers them and limits hold them back. */
  burst(process: SimulatedProcess): void {
    const { random } = this.#world
    const [tenant, type] = [this.tenant(), random.pick(TYPES)]
    for (let left = random.whole(...BURST); left > 0; left--) this.emit(process, tenant, type)
  }

  /** Emits under a key of before. */
  tellAgain(process: SimulatedProcess, what: "the same" | "something else"): void {
    const { random } = this.#world
    const keyed = random.pickOf(this.#keyed)
    if (!keyed) return this.emit(process, this.tenant())
    const { tenant, item } = keyed
    const data = what === "the same" ? item.data : { ...item.data, fact: ++this.#facts }
    this.#emitOne(process, tenant, { ...item, data, ...(random.chance(0.3) && { onConflict: "existing" as const }) })
  }

  batch(process: SimulatedProcess): void {
    const tenant = this.tenant()
    const items = this.#items(tenant)
    this.#call(process, tenant, items, (fleet) => fleet.tenant(tenant).emitMany(items))
  }

  transaction(process: SimulatedProcess): void {
    const tenant = this.tenant()
    const items = this.#items(tenant)
    const isTakenBack = this.#world.random.chance(0.4)
    this.#call(process, tenant, items, (fleet) =>
      fleet.transaction(async (tx) => {
        const results: EmitResult[] = []
        for (const item of items)
          results.push(await fleet.tenant(tenant).emit(item.type, item.data, { ...optionsOf(item), tx }))
        if (isTakenBack) throw new TakenBack()
        return results
      }),
    )
  }

  #item(tenant: string, type = this.#world.random.pick(TYPES)): Item {
    const { random } = this.#world
    const fact = ++this.#facts
    const plan = Array.from({ length: random.whole(0, 3) }, () => random.weighted(BEHAVIOURS))
    const data = { fact, owner: tenant, plan }
    const item: Item = { type: `${type}.${random.pick(["made", "changed"])}`, subject: random.pick(SUBJECTS), data }
    if (!random.chance(0.5)) return item
    const keyed = { ...item, dedupeKey: `key-${fact}` }
    this.#keyed.push({ tenant, item: keyed })
    return keyed
  }

  /** Sometimes one among them was told before. */
  #items(tenant: string): readonly Item[] {
    const { random } = this.#world
    const items = Array.from({ length: random.whole(...BATCH) }, () => this.#item(tenant))
    const earlier = random.pickOf(this.#keyed.filter((each) => each.tenant === tenant))
    return earlier && random.chance(0.3) ? [...items, earlier.item] : items
  }

  #emitOne(process: SimulatedProcess, tenant: string, item: Item): void {
    this.#call(process, tenant, [item], async (fleet) => [
      await fleet.tenant(tenant).emit(item.type, item.data, optionsOf(item)),
    ])
  }

  #call(
    process: SimulatedProcess,
    tenant: string,
    items: readonly Item[],
    emit: (fleet: Fleet) => Promise<readonly EmitResult[]>,
  ): void {
    const { ledger, trace } = this.#world
    const call = ledger.call(process.machine.name, tenant, items)
    trace.stress(`${call.caller} call ${call.n}: ${tenant} ${items.map(described).join(", ")}`)
    this.#world.on(process, async (fleet) => {
      try {
        const results = await emit(fleet)
        call.answers = results.map(({ signal, inserted }) => ({ id: signal.id, inserted }))
        call.outcome = "stored"
      } catch (error) {
        refuse(call, error)
      }
      trace.stress(`${call.caller} call ${call.n}: ${call.outcome} ${ending(call)}`)
    })
  }
}

function refuse(call: EmitCall, error: unknown): void {
  call.error = error instanceof Error ? error.message : String(error)
  if (error instanceof TakenBack) call.outcome = "rolled back"
  else if (isFleetPromptError(error) && error.code === "idempotency_conflict") call.outcome = "conflict"
  else call.outcome = "failed"
}

function ending({ answers, error }: EmitCall): string {
  return error || answers.map(({ id, inserted }) => (inserted ? id : `${id} again`)).join(", ")
}

function described({ type, data, dedupeKey }: Item): string {
  return `${type} ${data.fact}${dedupeKey === undefined ? "" : ` ${dedupeKey}`}`
}

function optionsOf({ subject, dedupeKey, onConflict }: Item) {
  return { subject, ...(dedupeKey !== undefined && { dedupeKey }), ...(onConflict && { onConflict }) }
}
