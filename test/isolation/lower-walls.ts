import type { Database } from "../../src/store/database.ts"

/** Takes row-level security down everywhere in a database of a test's own. The roles keep their rights. */
export async function lowerWalls(database: Database): Promise<void> {
  const tables = await database.query<{ name: string }>(
    "select oid::regclass::text as name from pg_class where relrowsecurity",
  )
  for (const { name } of tables) {
    await database.script(
      `alter table ${name} no force row level security; alter table ${name} disable row level security`,
    )
  }
}
