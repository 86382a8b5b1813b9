import { insertElsewhere, MAIN_CELL, reviveElsewhere } from "../store/cells.ts"
import type { Queryable } from "../store/database.ts"
import { schemaName, tenantScope } from "../store/tenant-scope.ts"
import { selectTenant } from "../store/tenants.ts"
import type { ProvisionOptions } from "../tenants/provision.ts"

/** Tenants that are remembered at most. */
const MAX_KNOWN = 100_000

/**
 * Knows in which cell tenants are, as the first database says. What is remembered may be old: the database that a tenant
 * has left refuses everything for it with `tenant_elsewhere`, and whoever is told so forgets and asks again.
 */
export class Directory {
  readonly #main: () => Queryable
  readonly #known = new Map<string, string>()

  /** @param main the first database. */
  constructor(main: () => Queryable) {
    this.#main = main
  }

  /** In which cell a tenant is; one that is nowhere is looked for in the first. @throws FleetPromptError `tenant_invalid` */
  async find(slug: string): Promise<string> {
    const known = this.#known.get(slug)
    if (known !== undefined) return known
    const record = await selectTenant(this.#main(), tenantScope(slug).slug)
    if (!record) return MAIN_CELL
    return this.#learn(slug, record.cell ?? MAIN_CELL)
  }

  /** It may have been moved. */
  forget(slug: string): void {
    this.#known.delete(slug)
  }

  /**
   * Says where a tenant is to be that is to be made. Whoever says so first decides.
   *
   * @returns the cell that it is in, or is to be made in.
   * @throws FleetPromptError `tenant_invalid`
   */
  async claim(
    slug: string,
    cell: string,
    { placement = "own", class: tenantClass = "standard" }: ProvisionOptions,
  ): Promise<string> {
    const { slug: tenant } = tenantScope(slug)
    this.forget(tenant)
    if (cell !== MAIN_CELL) {
      const made = { slug: tenant, schemaName: schemaName(tenant, placement), placement, class: tenantClass }
      await insertElsewhere(this.#main(), made, cell)
      await reviveElsewhere(this.#main(), made, cell)
    }
    return this.find(tenant)
  }

  #learn(slug: string, cell: string): string {
    if (this.#known.size >= MAX_KNOWN) this.#known.clear()
    this.#known.set(slug, cell)
    return cell
  }
}
