// Builds the package when it is stale, compiles the scenarios, and starts them. What these steps say goes to stderr:
// stdout is for the results. Types are checked by `npm run check:types`.
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { compiled } from "./compile.mjs"

run("scripts/build.mjs", "--if-stale")
const output = await compiled((directory) => {
  run("node_modules/typescript/bin/tsc", "-p", "test/faults/tsconfig.json", "--outDir", directory)
})
await import(new URL("test/faults/main.js", output).href)

function run(...args) {
  const root = fileURLToPath(new URL("../../", import.meta.url))
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: ["ignore", 2, 2] })
  if (status !== 0) process.exit(status ?? 1)
}
