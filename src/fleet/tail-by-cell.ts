import { FleetPromptError } from "../errors.ts"
import type { TailedSignal, TailOptions } from "../inspect/tail.ts"
import { type Cursor, selectCursorOf } from "../store/signal-order.ts"
import { withinTenant } from "../store/within-tenant.ts"
import { openTenant } from "../tenants/tenant.ts"
import { atHome, isElsewhere } from "./at-home.ts"
import type { Cells } from "./cells.ts"

/**
 * A tail that goes on when its tenant comes to another database: there the signals are in the same order under other
 * cursors, so it goes on behind the last signal that it showed, without a gap and without one twice.
 *
 * @throws FleetPromptError as `tail`; `cursor_invalid` when the tenant was moved before the tail had shown a signal and
 * it did not begin at "start"
 */
export function tailByCell(
  slug: string,
  options: TailOptions,
  running: () => Cells,
): AsyncIterableIterator<TailedSignal> {
  const reader = new MovingTail(slug, options, running)
  return {
    [Symbol.asyncIterator]() {
      return this
    },
    next: () => reader.next(),
    return: () => reader.return(),
  }
}

class MovingTail {
  readonly #slug: string
  readonly #options: TailOptions
  readonly #running: () => Cells
  #tail: AsyncIterableIterator<TailedSignal> | undefined
  #from: Cursor | undefined
  /** The last signal that was shown. */
  #last: string | undefined
  #hasMoved = false
  #ended = false

  constructor(slug: string, options: TailOptions, running: () => Cells) {
    this.#slug = slug
    this.#options = options
    this.#running = running
    this.#from = options.from
  }

  async next(): Promise<IteratorResult<TailedSignal>> {
    while (!this.#ended) {
      try {
        this.#tail ??= await this.#open()
        const result = await this.#tail.next()
        if (!result.done) this.#last = result.value.signal.id
        return result
      } catch (error) {
        if (!isElsewhere(error)) throw error
        this.#tail = undefined
        this.#hasMoved = true
        this.#running().directory.forget(this.#slug)
      }
    }
    return { done: true, value: undefined }
  }

  async return(): Promise<IteratorResult<TailedSignal>> {
    this.#ended = true
    await this.#tail?.return?.()
    return { done: true, value: undefined }
  }

  /** Waits until the tenant has arrived. */
  #open(): Promise<AsyncIterableIterator<TailedSignal>> {
    return atHome(this.#running(), this.#slug, async (cell) => {
      const { tenantDeps } = this.#running().get(cell)
      const { scope, generation } = await tenantDeps.placements.findToRead(this.#slug)
      const last = this.#last
      if (this.#hasMoved && last !== undefined) {
        const found = await withinTenant(tenantDeps.database, scope, (tx) =>
          selectCursorOf(tx, scope, last, generation),
        )
        // Retention may have removed it.
        if (found === undefined) throw moved(this.#slug)
        this.#from = found
      }
      if (this.#hasMoved && (this.#from ?? "start") !== "start" && last === undefined) throw moved(this.#slug)
      const from = this.#from
      return openTenant(this.#slug, () => tenantDeps).signals.tail({ ...this.#options, ...(from && { from }) })
    })
  }
}

function moved(slug: string): FleetPromptError {
  return new FleetPromptError(
    "cursor_invalid",
    `expected tenant "${slug}" to stay where its order is the one of the cursor, it came to another database; begin at "start" or "now"`,
  )
}
