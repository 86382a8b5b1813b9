import { parseArgs } from "node:util"
import { startFake } from "./fake-server.ts"
import { FAKES, type FakeName } from "./systems.ts"

// Plays one system until it is stopped, and prints its address: `main.js github [--port 4010]`.

const { values, positionals } = parseArgs({
  options: { port: { type: "string", default: "0" } },
  allowPositionals: true,
})
const name = positionals[0] ?? ""

if (isFake(name)) {
  const { url } = await startFake(FAKES[name](), Number(values.port))
  console.log(url)
} else {
  console.error(`expected one of ${Object.keys(FAKES).join(", ")}, got "${name}"`)
  process.exitCode = 2
}

function isFake(text: string): text is FakeName {
  return Object.hasOwn(FAKES, text)
}
