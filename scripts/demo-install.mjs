#!/usr/bin/env node
// Installs an example package, lead-qualification, and prints the signals that tell of it.
//
//   node scripts/demo-install.mjs [--json] [--kill-at STEP] [--fresh] [--data DIRECTORY]
//
// --json           the signals as JSON: [{ type, id, causationId, occurredAt }]
// --kill-at STEP   the process ends itself with SIGKILL within that step, before it commits; run it again without, and
//                  the same installation is taken up and completed. STEP is one of those listed below; records and
//                  bindings may go on with - and a package.
// --fresh          begins with an empty data directory
// --data           the data directory; default .fleetprompt/demo-install. DATABASE_URL, where it is set, is used instead.
import { rm } from "node:fs/promises"
import { parseArgs } from "node:util"
import { createFleet } from "fleetprompt"

// Built from examples/packages/.
const { qualifyLead, scoreLeadAction } = await example("lead-qualification/templates.js")
const { readManifest } = await example("manifests.js")

/** The steps of an install of a package that needs no other, in order. */
const STEPS = ["check", "begin", "records", "bindings", "count", "activate"]

const { values: options } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    fresh: { type: "boolean", default: false },
    "kill-at": { type: "string" },
    data: { type: "string", default: ".fleetprompt/demo-install" },
  },
})
const killAt = options["kill-at"]
const killPlace = STEPS.indexOf(killAt?.replace(/^(records|bindings)-.+$/, "$1"))
if (killAt !== undefined && killPlace < 0) {
  console.error(`expected one of ${STEPS.join(", ")} as --kill-at, got "${killAt}"`)
  process.exit(2)
}

const databaseUrl = process.env["DATABASE_URL"]
if (options.fresh && !databaseUrl) await rm(options.data, { recursive: true, force: true })
const manifest = await readManifest("lead-qualification")
const templates = [qualifyLead, scoreLeadAction]
const fleet = createFleet({ ...(databaseUrl ? { databaseUrl } : { dataDirectory: options.data }), templates })
if (killAt !== undefined) killWithin(killPlace)
await fleet.start()
try {
  await fleet.packages.publish(manifest)
  await fleet.tenants.provision("demo")
  const tenant = fleet.tenant("demo")
  const { directive } = await tenant.packages.install({ slug: manifest.slug })
  const { status, errorMessage } = await tenant.directives.wait(directive.id)
  print(await tenant.directives.trail(directive.id))
  if (status !== "completed") {
    console.error(`the installation ${status}: ${errorMessage}`)
    process.exitCode = 1
  }
} finally {
  await fleet.stop()
}

function example(path) {
  return import(new URL(`../examples/dist/packages/${path}`, import.meta.url).href)
}

/** The mark of each step is a statement of its own: before it ends, nothing of the step is committed. */
function killWithin(place) {
  let left = place
  fleet.telemetry.listen({
    steps: ["statement"],
    start: ({ fields }) => {
      if (fields.statement === "insertDirectiveStep" && left-- === 0) process.kill(process.pid, "SIGKILL")
    },
  })
}

function print(trail) {
  if (options.json) {
    const signals = trail.map(({ type, id, time, metadata }) => ({
      type,
      id,
      causationId: metadata.causation_id,
      occurredAt: time,
    }))
    console.log(JSON.stringify(signals, null, 2))
    return
  }
  const depths = new Map()
  for (const { type, id, time, metadata } of trail) {
    const depth = (depths.get(metadata.causation_id) ?? -1) + 1
    depths.set(id, depth)
    console.log(`${"  ".repeat(depth)}${type}  ${id}  ${time}`)
  }
}
