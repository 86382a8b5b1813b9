// Installs the peers when they are missing, builds the package and the benchmark, and starts it. Whatever
// these steps say goes to stderr: stdout is for the results.
import { spawnSync } from "node:child_process"
import { stat } from "node:fs/promises"
import { fileURLToPath } from "node:url"

const root = new URL("../../", import.meta.url)
const bench = new URL("bench/", root)

if (!(await isInstalled())) run(bench, "npm", "ci", "--ignore-scripts")
run(root, process.execPath, "scripts/build.mjs", "--if-stale")
run(root, process.execPath, "node_modules/typescript/bin/tsc", "-p", "bench/durable/tsconfig.json")
await import(new URL("dist/bench/durable/main.js", bench).href)

/** Whether the peers were installed since their list was changed. */
async function isInstalled() {
  const installed = await modifiedAt(new URL("node_modules/.package-lock.json", bench))
  return installed >= (await modifiedAt(new URL("package-lock.json", bench)))
}

async function modifiedAt(url) {
  return (await stat(url).catch(() => undefined))?.mtimeMs ?? 0
}

function run(folder, program, ...args) {
  const { status } = spawnSync(program, args, { cwd: fileURLToPath(folder), stdio: ["ignore", 2, 2] })
  if (status !== 0) process.exit(status ?? 1)
}
