import { createRouter, type Router } from "../signal/router/router.ts"
import type { StoredSignal } from "../signal/stored-signal.ts"
import type { FanOutRoutes, FanOutTarget } from "./fan-out.ts"

/** Types that are remembered of one tenant: it has few patterns, and there may be many tenants. */
const CACHE_SIZE = 256

/** A tenant's own targets. */
interface TenantRoutes {
  readonly targets: readonly FanOutTarget[]
  /** Made with the tenant's first signal. */
  router: Router<FanOutTarget> | undefined
}

/**
 * The routes of a process: fixed ones, which are for the signals of all tenants, and those that were brought for one
 * tenant. A signal of a tenant without any costs one look-up more than it would without them.
 */
export class Routes implements FanOutRoutes {
  readonly #fixed: Router<FanOutTarget>
  readonly #fixedNames: ReadonlySet<string>
  readonly #tenants = new Map<string, TenantRoutes>()
  #names: readonly string[] | undefined

  /** @param fixed targets for the signals of all tenants. */
  constructor(fixed: readonly FanOutTarget[]) {
    this.#fixed = routerOf(fixed)
    this.#fixedNames = new Set(fixed.map(({ name }) => name))
  }

  route(signal: StoredSignal): readonly FanOutTarget[] {
    const fixed = this.#fixed.route(signal)
    const own = this.#tenants.get(signal.tenant)
    if (!own) return fixed
    own.router ??= routerOf(own.targets, CACHE_SIZE)
    return [...fixed, ...own.router.route(signal)]
  }

  has(tenant: string, name: string): boolean {
    return this.isFixed(name) || (this.#tenants.get(tenant)?.targets.some((target) => target.name === name) ?? false)
  }

  /** The same list until something is brought. */
  names(): readonly string[] {
    return (this.#names ??= [...new Set([...this.#fixedNames, ...this.#broughtNames()])])
  }

  #broughtNames(): readonly string[] {
    return [...this.#tenants.values()].flatMap(({ targets }) => targets.map(({ name }) => name))
  }

  /** Whether a name is that of a fixed target, which no other may have. */
  isFixed(name: string): boolean {
    return this.#fixedNames.has(name)
  }

  /** Takes up a tenant's own targets, in place of all that it had. No name may be that of a fixed one. */
  bring(tenant: string, targets: readonly FanOutTarget[]): void {
    if (targets.length > 0) this.#tenants.set(tenant, { targets, router: undefined })
    else this.#tenants.delete(tenant)
    this.#names = undefined
  }
}

function routerOf(targets: readonly FanOutTarget[], cacheSize?: number): Router<FanOutTarget> {
  const router = createRouter<FanOutTarget>(cacheSize === undefined ? {} : { cacheSize })
  for (const target of targets) router.add(target.on.pattern, target)
  return router
}
