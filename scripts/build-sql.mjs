// Turns sql/ into src/store/sql.ts, so that the running package reads no files.
// `node scripts/build-sql.mjs` writes it; `--check` fails when it is out of date.
import { readdir, readFile, writeFile } from "node:fs/promises"

const target = new URL("../src/store/sql.ts", import.meta.url)

async function migrationsOf(folder) {
  const directory = new URL(`../sql/${folder}/`, import.meta.url)
  const names = (await readdir(directory)).filter((name) => /^\d{4}_\w+\.sql$/.test(name)).toSorted()
  return Promise.all(
    names.map(async (name) => ({
      version: Number(name.slice(0, 4)),
      name,
      text: await readFile(new URL(name, directory), "utf8"),
    })),
  )
}

function moduleText(release, control, tenant) {
  return `// Made from sql/ by scripts/build-sql.mjs. Edit the .sql files.

/** Version of the package that these belong to. */
export const release = ${JSON.stringify(release)}

/** One step of a schema's history. */
export interface Migration {
  readonly version: number
  readonly name: string
  readonly text: string
}

/** Steps of the control schema, in order. */
export const controlMigrations: readonly Migration[] = ${JSON.stringify(control, null, 2)}

/** Steps of each tenant's schema, in order; \`:schema\` stands for its quoted name. */
export const tenantMigrations: readonly Migration[] = ${JSON.stringify(tenant, null, 2)}
`
}

const { version } = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8"))
const text = moduleText(version, await migrationsOf("control"), await migrationsOf("tenant"))
const current = await readFile(target, "utf8").catch(() => "")
if (process.argv.includes("--check") && text !== current) {
  console.error("src/store/sql.ts is out of date: run node scripts/build-sql.mjs")
  process.exit(1)
}
if (text !== current) await writeFile(target, text)
