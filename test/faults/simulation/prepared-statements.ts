import type { Database, Queryable } from "../../../src/store/database.ts"

/** Names of the statements that a database has prepared, by their text. */
const known = new WeakMap<Database, Map<string, string>>()

/** What Postgres can prepare. */
const PLANNED = /^\s*(\/\*.*?\*\/)?\s*(with|select|insert|update|delete)\b/

/** Makes plans that do not depend on values, once for each statement; and forgets those there are. */
export async function forgetPlans(database: Database): Promise<void> {
  await database.script("set plan_cache_mode = force_generic_plan; discard plans")
}

/**
 * Runs a statement that is prepared the first time: to plan the engine's statements takes longer than to carry them out
 * on tables as small as these.
 *
 * @param through the database itself, or a transaction of it.
 */
export async function queryPrepared(
  database: Database,
  through: Queryable,
  text: string,
  values: readonly unknown[],
): Promise<readonly object[]> {
  if (!PLANNED.test(text)) return through.query(text, values)
  const names = known.get(database) ?? new Map<string, string>()
  known.set(database, names)
  const name = names.get(text) ?? `simulation_${names.size + 1}`
  if (!names.has(text)) {
    await through.query(`prepare ${name} as ${text}`)
    names.set(text, name)
  }
  return through.query(`execute ${name}${values.length > 0 ? `(${values.map(literal).join(", ")})` : ""}`)
}

function literal(value: unknown): string {
  if (value === null || value === undefined) return "null"
  return `'${textOf(value).replaceAll("'", "''")}'`
}

function textOf(value: unknown): string {
  if (Array.isArray(value)) return `{${value.map(elementOf).join()}}`
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return String(value)
  throw new Error(`expected a text, number, boolean, null or an array of them as parameter, got ${typeof value}`)
}

function elementOf(value: unknown): string {
  return value === null ? "null" : `"${textOf(value).replaceAll(/["\\]/g, "\\$&")}"`
}
