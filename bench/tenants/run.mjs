// Builds the package and the benchmark, and starts it. Whatever these steps say goes to stderr: stdout is for the results.
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

const root = new URL("../../", import.meta.url)

run("scripts/build.mjs", "--if-stale")
run("node_modules/typescript/bin/tsc", "-p", "bench/tenants/tsconfig.json")
await import(new URL("bench/dist/bench/tenants/main.js", root).href)

function run(...args) {
  const { status } = spawnSync(process.execPath, args, { cwd: fileURLToPath(root), stdio: ["ignore", 2, 2] })
  if (status !== 0) process.exit(status ?? 1)
}
