// Makes dist/: the library and the command line by tsc, the page by tsc and a copy of its files, and the
// archive that embedded databases begin from. Then examples/dist/, by tsc and copies of their JSON files.
// --clean begins with an empty dist/; --if-stale does nothing when no source is newer than the last build.
import { spawnSync } from "node:child_process"
import { chmod, copyFile, cp, mkdir, readdir, rm, stat, writeFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"

const root = new URL("../", import.meta.url)
const dist = new URL("dist/", root)
const examples = new URL("examples/packages/", root)
const builtExamples = new URL("examples/dist/", root)
const stamp = new URL(".built", dist)
const sources = [
  "src/",
  "dashboard/",
  "sql/",
  "scripts/",
  "examples/packages/",
  "examples/tsconfig.build.json",
  "tsconfig.json",
  "tsconfig.build.json",
  "package.json",
]

if (process.argv.includes("--clean"))
  for (const folder of [dist, builtExamples]) await rm(folder, { recursive: true, force: true })
if (process.argv.includes("--if-stale") && (await isFresh())) process.exit(0)

run("scripts/build-sql.mjs")
run("node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json")
run("node_modules/typescript/bin/tsc", "-p", "dashboard/tsconfig.json")
run("scripts/pack-embedded-database.mjs")
await copyPage()
// They import the library that was just made.
run("node_modules/typescript/bin/tsc", "-p", "examples/tsconfig.build.json")
await copyExamplesData()
await chmod(new URL("cli/main.js", dist), 0o755)
await writeFile(stamp, "")

function run(...args) {
  const { status } = spawnSync(process.execPath, args, { cwd: fileURLToPath(root), stdio: "inherit" })
  if (status !== 0) process.exit(status ?? 1)
}

async function copyPage() {
  const names = await readdir(new URL("dashboard/", root))
  await mkdir(new URL("dashboard/", dist), { recursive: true })
  for (const name of names.filter((each) => /\.(html|css|svg)$/.test(each))) {
    await copyFile(new URL(`dashboard/${name}`, root), new URL(`dashboard/${name}`, dist))
  }
}

/** Manifests and fixtures beside the code that reads them. */
async function copyExamplesData() {
  const filter = async (path) => path.endsWith(".json") || (await stat(path)).isDirectory()
  await cp(examples, new URL("packages/", builtExamples), { recursive: true, filter })
}

async function isFresh() {
  const builtAt = await modifiedAt(stamp)
  return (
    builtAt > 0 &&
    (await Promise.all(sources.map((path) => newestBelow(new URL(path, root))))).every((at) => at <= builtAt)
  )
}

async function modifiedAt(url) {
  return (await stat(url).catch(() => undefined))?.mtimeMs ?? 0
}

/** The latest change in a file, or in a folder and all below it; a folder's own time tells of removed files. */
async function newestBelow(url) {
  if (!url.pathname.endsWith("/")) return modifiedAt(url)
  const entries = await readdir(url, { withFileTypes: true })
  const times = entries.map((entry) => newestBelow(new URL(entry.isDirectory() ? `${entry.name}/` : entry.name, url)))
  return Math.max(await modifiedAt(url), ...(await Promise.all(times)))
}
