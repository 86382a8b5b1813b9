import type { Handler } from "./handler-definition.ts"

/** A handler that came while the fleet runs, for one tenant. */
export interface BroughtHandler {
  readonly tenant: string
  readonly name: string
  /** Undefined: this process does not run the tenant's deliveries of this name, now or any more. */
  readonly handler: Handler | undefined
}

/**
 * The handlers that a worker runs. Fixed ones are given at the start and run for all tenants; brought ones come and go
 * while it works, each for one tenant, so that two tenants may have different ones of one name.
 */
export class HandlerSet {
  /** Those that were given at the start. */
  readonly fixed: readonly Handler[]
  readonly #fixed: ReadonlyMap<string, Handler>
  /** By name, then by tenant. */
  readonly #brought = new Map<string, Map<string, Handler>>()
  readonly #mark: (handler: Handler) => Handler
  readonly #marked = new WeakMap<Handler, Handler>()
  #names: readonly string[] | undefined

  /** @param mark makes of each handler the one that is called; it is asked once for each. Default: the same. */
  constructor(fixed: readonly Handler[], mark: (handler: Handler) => Handler = (handler) => handler) {
    this.#mark = mark
    this.fixed = fixed.map((handler) => this.#markOnce(handler))
    this.#fixed = new Map(this.fixed.map((handler) => [handler.name, handler]))
  }

  /** The handler of a name that runs a tenant's deliveries; undefined where this process has none. */
  get(name: string, tenant: string): Handler | undefined {
    return this.#fixed.get(name) ?? this.#brought.get(name)?.get(tenant)
  }

  /** How many names there are. */
  get size(): number {
    return this.names().length
  }

  /** All names, each once; the same list until something is brought. */
  names(): readonly string[] {
    return (this.#names ??= [...new Set([...this.#fixed.keys(), ...this.#brought.keys()])])
  }

  /** Takes handlers up, in place of those of the same names and tenants. */
  bring(handlers: readonly BroughtHandler[]): void {
    for (const each of handlers) this.#bringOne(each)
    this.#names = undefined
  }

  #bringOne({ tenant, name, handler }: BroughtHandler): void {
    const tenants = this.#brought.get(name) ?? new Map<string, Handler>()
    if (handler) tenants.set(tenant, this.#markOnce(handler))
    else tenants.delete(tenant)
    if (tenants.size > 0) this.#brought.set(name, tenants)
    else this.#brought.delete(name)
  }

  #markOnce(handler: Handler): Handler {
    const known = this.#marked.get(handler)
    if (known) return known
    const marked = this.#mark(handler)
    this.#marked.set(handler, marked)
    return marked
  }
}
