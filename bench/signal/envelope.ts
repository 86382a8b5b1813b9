import { CloudEvent } from "cloudevents"
import { z } from "zod"
import { defineSignal } from "../../src/signal/define-signal.ts"
import { newId } from "../../src/signal/id.ts"
import { adoptSignal, createSignal, parseSignal } from "../../src/signal/signal.ts"
import { BYTES, orderText } from "./order-event.ts"
import { type Result, rate } from "./rate.ts"

/** Operations between two looks at the clock. */
const BATCH = 1_000

/** Measures making signals, and reading one from its JSON text. */
export async function run(seconds?: number): Promise<Result[]> {
  return [...(await creating(seconds)), ...(await reading(seconds))]
}

async function creating(seconds?: number): Promise<Result[]> {
  const attributes = { source: "/auth", subject: "tenant-1" }
  const data = () => ({ user_id: "u-123", email: "a@example.com", plan: "pro" })
  const created = () => ({ type: "user.created", ...attributes, data: data() })
  const schema = z.object({ user_id: z.string(), email: z.string(), plan: z.string().default("free") })
  const userCreated = defineSignal({ type: "user.created", schema })
  return [
    {
      id: "signal.create",
      n: 1,
      ours: await each(() => createSignal(created()), seconds),
      peers: { cloudevents: await each(() => new CloudEvent(created()), seconds) },
      unit: "signals/s",
    },
    {
      id: "signal.create_typed",
      n: 1,
      ours: await each(() => userCreated.create({ user_id: "u-123", email: "a@example.com" }, attributes), seconds),
      peers: { "zod alone": await each(() => schema.parse({ user_id: "u-123", email: "a@example.com" }), seconds) },
      unit: "signals/s",
    },
    {
      id: "signal.id",
      n: 1,
      ours: await each(newId, seconds),
      peers: { "crypto.randomUUID": await each(() => crypto.randomUUID(), seconds) },
      unit: "ids/s",
    },
  ]
}

async function reading(seconds?: number): Promise<Result[]> {
  const text = orderText()
  const peers = {
    "JSON.parse alone": await each(() => JSON.parse(text), seconds),
    cloudevents: await each(() => new CloudEvent(JSON.parse(text)), seconds),
  }
  return [
    {
      id: "signal.read_text",
      n: BYTES,
      ours: await each(() => adoptSignal(JSON.parse(text), text), seconds),
      peers,
      unit: "signals/s",
    },
    {
      id: "signal.read_copying",
      n: BYTES,
      ours: await each(() => parseSignal(JSON.parse(text)), seconds),
      peers,
      unit: "signals/s",
    },
  ]
}

function each(body: () => unknown, seconds?: number): Promise<number> {
  return rate(
    BATCH,
    () => {
      for (let round = 0; round < BATCH; round++) body()
    },
    seconds,
  )
}
