import type * as fleetprompt from "../../src/fleetprompt.ts"
import type { FleetOptions } from "../../src/fleet/options.ts"
import type { Migration } from "../../src/store/sql.ts"

const ROOT = new URL("../../../../", import.meta.url)

/** The package as it was built. */
export interface OurPackage {
  readonly createFleet: (options: FleetOptions) => fleetprompt.Fleet
  readonly defineHandler: typeof fleetprompt.defineHandler
  /** The migrations of tenants' schemas that it was built with. */
  readonly migrations: readonly Migration[]
}

/** Loads the built package, whose threads and modules stand where they do for a user. */
export async function loadPackage(): Promise<OurPackage> {
  const { createFleet, defineHandler } = (await import(new URL("dist/fleetprompt.js", ROOT).href)) as typeof fleetprompt
  const { tenantMigrations } = (await import(new URL("dist/store/sql.js", ROOT).href)) as {
    readonly tenantMigrations: readonly Migration[]
  }
  return { createFleet, defineHandler, migrations: tenantMigrations }
}

/**
 * Migrations as a release may bring them: a column, a table with an index and a wall, and a note in `bench.ran` that
 * fails when one runs twice in a schema.
 */
export function laterMigrations(): readonly Migration[] {
  return [1, 2].map((step) => ({
    version: 900_000 + step,
    name: `90000${step}_bench.sql`,
    text: `
      alter table :schema.signals add column bench_${step} text;
      create table :schema.bench_${step} (
        id uuid not null, tenant text collate "C" not null :tenant, note text, primary key (:key id)
      );
      create index bench_${step}_note_index on :schema.bench_${step} (:key note);
      select fleetprompt.raise_wall(':schema.bench_${step}'::regclass);
      insert into bench.ran values (':schema', ${step});`,
  }))
}
