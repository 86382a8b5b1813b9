// Runs the installed package as a user would, in a folder of its own: `node smoke.mjs` beside node_modules/fleetprompt.
import assert from "node:assert/strict"
import { createFleet, defineHandler, isFleetPromptError } from "fleetprompt"
import { createFetchHandler } from "fleetprompt/server"
import { createSignal, matches, parseSignal } from "fleetprompt/signal"

const signal = createSignal({ type: "lead.received", source: "/smoke", data: { leadId: "1" } })
assert.deepEqual(parseSignal(JSON.parse(JSON.stringify(signal))), signal)
assert.ok(matches("lead.*", signal.type))

const handled = []
const qualify = defineHandler({
  name: "lead.qualify",
  on: "lead.received",
  run: async ({ signal: lead, emit }) => {
    handled.push(lead.data)
    await emit("lead.qualified", { score: 95 })
  },
})

const fleet = createFleet({ dataDirectory: "memory", handlers: [qualify] })
await fleet.start()
await fleet.tenants.provision("smoke")
const tenant = fleet.tenant("smoke")
assert.equal((await tenant.emit("lead.received", { leadId: "1" }, { dedupeKey: "1" })).inserted, true)
assert.equal((await tenant.emit("lead.received", { leadId: "1" }, { dedupeKey: "1" })).inserted, false)
await fleet.drain()
assert.deepEqual(handled, [{ leadId: "1" }])
assert.equal(await tenant.deepestChain(), 2)
await assert.rejects(
  tenant.emit("a.b", { n: Number.NaN }),
  (error) => isFleetPromptError(error) && error.code === "data_not_json",
)

const handler = createFetchHandler(fleet, { authenticate: () => ({ tenant: "smoke", role: "owner" }) })
const page = await handler.fetch(new Request("http://localhost/"))
assert.equal(page.status, 200)
assert.match(await page.text(), /<title>/)
const list = await (await handler.fetch(new Request("http://localhost/v1/signals"))).json()
assert.equal(list.signals.length, 2)
handler.close()
await fleet.stop()
console.log(`smoke passed on Node ${process.version}`)
