import { defineHandler } from "../../delivery/handler.ts"
import type { Handler } from "../../delivery/handler-definition.ts"
import type { BroughtHandler, HandlerSet } from "../../delivery/handler-set.ts"
import type { HandlerTemplate } from "../../delivery/template.ts"
import type { FanOutTarget } from "../../emit/fan-out.ts"
import type { Routes } from "../../emit/routes.ts"
import {
  type BindingRecord,
  type BindingState,
  deleteOldBindingChanges,
  selectBindingChanges,
  selectBindingHorizon,
  selectBindings,
} from "../../store/bindings.ts"
import type { Queryable } from "../../store/database.ts"
import { RepeatedLook } from "../../store/repeated-look.ts"
import type { Telemetry } from "../../telemetry/telemetry.ts"
import { handlerOf, type LiveBinding, liveBinding, nameTaken, targetOf, templateUnknown } from "./live-binding.ts"
import { runBinding } from "./run-binding.ts"

/** What bindings are held with. */
export interface BindingsDeps {
  /** For the engine's own statements. */
  readonly engine: Queryable
  readonly routes: Pick<Routes, "bring" | "isFixed">
  /** Undefined in a process that runs no handlers. */
  readonly handlers: Pick<HandlerSet, "bring"> | undefined
  readonly templates: ReadonlyMap<string, HandlerTemplate>
  readonly telemetry: Pick<Telemetry, "tell">
  /** Handlers were brought. */
  readonly onHandlers: () => void
  /** How often to ask what has changed when nothing is announced, milliseconds. Default 1,500. */
  readonly lookMs?: number
}

const DEFAULT_LOOK_MS = 1_500
/** Bindings in one statement. */
const PAGE = 1_000
/** How long it is remembered that a binding was removed, for deliveries that come back; longer while there are any, milliseconds. */
const FORGET_AFTER_MS = 30 * 86_400_000
/** How often what may be forgotten is, and when the first time, milliseconds. */
const FORGET_EVERY_MS = 3_600_000
const FORGET_FIRST_MS = 300_000

/** How deliveries are run whose binding is gone: each attempt cancels. */
const GONE = defineHandler({ name: "gone", on: "**", retry: { attempts: 1_000 }, run: () => {} })

/** A binding, or that there is none any more, and which change that came from. */
interface Held {
  readonly changedTx: string
  readonly live: LiveBinding | undefined
}

/**
 * What tenants' packages have this process run. The table is the authority; this holds all of it in memory, and asks
 * each second and a half, and whenever a change is announced, for what has changed: in one statement, for all tenants. Each look
 * begins at the oldest transaction that was open at the look before, so none is missed, however late it commits. So
 * within 2 seconds of the commit every process makes deliveries for a binding, or none any more, and runs them, or
 * leaves them, though no announcement be heard.
 *
 * A binding is one of: enabled (it routes and runs), disabled (it does neither; its deliveries wait), removed (its
 * deliveries are claimed and cancelled). Where the release lacks its template, it routes, and others run it.
 */
export class Bindings {
  readonly #deps: BindingsDeps
  readonly #tenants = new Map<string, Map<string, Held>>()
  /** By template and name; those of bindings that are gone, by name. */
  readonly #handlers = new Map<string, Handler>()
  #horizon = "0"
  #forgetAt = performance.now() + FORGET_FIRST_MS
  readonly #looks: RepeatedLook
  #isWatching = false

  constructor(deps: BindingsDeps) {
    this.#deps = deps
    this.#looks = new RepeatedLook({
      look: () => this.#look(),
      onError: (error) => this.#tell(error),
      restMs: () => (this.#isWatching ? (deps.lookMs ?? DEFAULT_LOOK_MS) : undefined),
    })
  }

  /** Reads all there are. */
  async read(): Promise<void> {
    this.#horizon = await selectBindingHorizon(this.#deps.engine)
    let last: BindingState | undefined
    for (let isMore = true; isMore;) {
      const states = await selectBindings(this.#deps.engine, last, PAGE)
      this.#take(states)
      last = states.at(-1)
      isMore = states.length === PAGE
    }
  }

  /** Looks for changes from now on, until it is stopped. */
  start(): void {
    this.#isWatching = true
    this.#looks.later()
  }

  /** Something may have changed: looks at once. */
  wake(): void {
    this.#looks.now()
  }

  /** Ends the look under way; there is none after it. */
  stop(): Promise<void> {
    return this.#looks.stop()
  }

  async #look(): Promise<void> {
    let place = { changedTx: this.#horizon, tenant: "", handler: "" }
    let next: string | undefined
    for (let isMore = true; isMore;) {
      const { horizon, states } = await selectBindingChanges(this.#deps.engine, place, PAGE)
      // What is committed while the pages are read is behind the first one's.
      next ??= horizon
      this.#take(states)
      isMore = states.length === PAGE
      place = states.at(-1) ?? place
    }
    this.#horizon = next ?? this.#horizon
    if (performance.now() >= this.#forgetAt) await this.#forget()
  }

  async #forget(): Promise<void> {
    this.#forgetAt = performance.now() + FORGET_EVERY_MS
    await deleteOldBindingChanges(this.#deps.engine, FORGET_AFTER_MS)
  }

  /** Takes up what differs from what is held. */
  #take(states: readonly BindingState[]): void {
    const changed = states.filter((state) => this.#hold(state))
    if (changed.length === 0) return
    for (const tenant of new Set(changed.map((state) => state.tenant)))
      this.#deps.routes.bring(tenant, this.#targets(tenant))
    if (!this.#deps.handlers) return
    this.#deps.handlers.bring(changed.map((state) => this.#broughtBy(state)))
    this.#deps.onHandlers()
  }

  /** @returns whether it is another than before. */
  #hold({ tenant, handler, changedTx, binding }: BindingState): boolean {
    const ofTenant = this.#tenants.get(tenant) ?? new Map<string, Held>()
    if (ofTenant.get(handler)?.changedTx === changedTx) return false
    this.#tenants.set(tenant, ofTenant)
    ofTenant.set(handler, { changedTx, live: binding && liveBinding(binding, this.#deps.templates) })
    return true
  }

  #targets(tenant: string): readonly FanOutTarget[] {
    const live = [...(this.#tenants.get(tenant)?.values() ?? [])].flatMap((held) => held.live ?? [])
    return live.filter(({ record }) => record.isEnabled).flatMap(({ record }) => this.#target(record) ?? [])
  }

  /** One binding that cannot be read keeps none of the others from their signals. */
  #target(record: BindingRecord): FanOutTarget | undefined {
    try {
      if (this.#deps.routes.isFixed(record.handler)) throw nameTaken(record)
      return targetOf(record)
    } catch (error) {
      return this.#tell(error)
    }
  }

  #broughtBy({ tenant, handler: name }: BindingState): BroughtHandler {
    return { tenant, name, handler: this.#handlerFor(name, this.#live(tenant, name)) }
  }

  #handlerFor(name: string, live: LiveBinding | undefined): Handler | undefined {
    if (!live) return this.#made(name, undefined)
    const { record, template } = live
    if (!template) return this.#tell(templateUnknown(record))
    return record.isEnabled ? this.#made(name, template) : undefined
  }

  /** One for all bindings of a name and template; without a template, for those that are gone. */
  #made(name: string, template: HandlerTemplate | undefined): Handler {
    const key = `${template?.name ?? ""} ${name}`
    const known = this.#handlers.get(key)
    if (known) return known
    const run: Handler["run"] = (context) => runBinding(this.#live(context.tenant, name), name, context)
    const made = handlerOf(name, template?.options ?? GONE, run)
    this.#handlers.set(key, made)
    return made
  }

  #live(tenant: string, name: string): LiveBinding | undefined {
    return this.#tenants.get(tenant)?.get(name)?.live
  }

  #tell(error: unknown): undefined {
    this.#deps.telemetry.tell("background.failed", { step: "bindings", error })
    return undefined
  }
}
