// Compiled scenarios lie in dist/<fingerprint of the sources>/. Such a folder is complete and never changes, so that
// runs at the same time, also of other sources, do not harm each other, and nothing is compiled twice.
import { createHash } from "node:crypto"
import { copyFile, mkdir, readdir, readFile, rename, rm, stat, utimes } from "node:fs/promises"
import { fileURLToPath } from "node:url"

const root = new URL("../../", import.meta.url)
const dist = new URL("dist/", import.meta.url)
const sources = ["src/", "test/faults/", "test/support/", "tsconfig.json", "package.json"]

/** Folders of these names hold nothing that is compiled. */
const LEFT_OUT = new Set(["dist", "simulation"])

/** A folder that nobody has begun with for so long is removed. */
const KEPT_MS = 24 * 3_600_000

/** The folder with the compiled sources; `compile` is called with a path when it is not there yet. */
export async function compiled(compile) {
  for (;;) {
    const name = await fingerprint()
    const output = new URL(`${name}/`, dist)
    if (!(await isThere(output)) && !(await make(output, name, compile))) continue
    const now = new Date()
    await utimes(output, now, now)
    await removeOld()
    return output
  }
}

/** Returns whether it was made: sources that were changed meanwhile have to be compiled again. */
async function make(output, name, compile) {
  const draft = new URL(`.new-${process.pid}/`, dist)
  await rm(draft, { recursive: true, force: true })
  await mkdir(draft, { recursive: true })
  try {
    compile(fileURLToPath(draft))
    // Where the compiled package looks for its version, and for what embedded databases begin from.
    await copyFile(new URL("package.json", root), new URL("package.json", draft))
    await copyTemplates(new URL("dist/", root), new URL("dist/", draft))
    if ((await fingerprint()) !== name) return false
    await rename(draft, output)
  } catch (error) {
    // Another run was quicker with the same sources.
    if (!(await isThere(output))) throw error
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
  return true
}

async function copyTemplates(from, to) {
  await mkdir(to)
  const templates = (await readdir(from)).filter((name) => name.startsWith("embedded-database-"))
  for (const name of templates) await copyFile(new URL(name, from), new URL(name, to))
}

async function fingerprint() {
  const files = (await Promise.all(sources.map(filesBelow))).flat().toSorted()
  const hash = createHash("sha256")
  for (const file of files)
    hash
      .update(`${file}\0`)
      .update(await readFile(new URL(file, root)))
      .update("\0")
  return hash.digest("hex").slice(0, 16)
}

async function filesBelow(path) {
  if (!path.endsWith("/")) return [path]
  const entries = await readdir(new URL(path, root), { withFileTypes: true })
  const wanted = entries.filter((entry) => (entry.isDirectory() ? !LEFT_OUT.has(entry.name) : isSource(entry.name)))
  const found = wanted.map((entry) => filesBelow(`${path}${entry.name}${entry.isDirectory() ? "/" : ""}`))
  return (await Promise.all(found)).flat()
}

function isSource(name) {
  return name === "tsconfig.json" || (name.endsWith(".ts") && !name.endsWith(".test.ts"))
}

async function removeOld() {
  const before = Date.now() - KEPT_MS
  for (const name of await readdir(dist)) {
    const path = new URL(name, dist)
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Infinity }))
    if (mtimeMs < before) await rm(path, { recursive: true, force: true })
  }
}

async function isThere(url) {
  return (await stat(url).catch(() => undefined)) !== undefined
}
