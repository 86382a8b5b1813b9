import { decode, encode } from "@msgpack/msgpack"
import { CloudEvent, HTTP } from "cloudevents"
import { fromHttp, toHttp } from "../../src/signal/codecs/codec-http.ts"
import { decodeJson, encodeJson } from "../../src/signal/codecs/codec-json.ts"
import { decodeMsgpack, encodeMsgpack } from "../../src/signal/codecs/codec-msgpack.ts"
import { createSignal } from "../../src/signal/signal.ts"
import { BYTES, orderCreated } from "./order-event.ts"
import { type Result, rate } from "./rate.ts"

/** Operations between two looks at the clock. */
const BATCH = 1_000

interface Workload {
  readonly id: string
  readonly ours: () => unknown
  readonly peers: Readonly<Record<string, () => unknown>>
}

/** Measures the codecs with one order of five items, 628 bytes as JSON. */
export async function run(seconds?: number): Promise<Result[]> {
  const results: Result[] = []
  for (const { id, ours, peers } of [...textWorkloads(), ...(await msgpackWorkloads()), ...httpWorkloads()]) {
    const measured: Record<string, number> = {}
    const mine = await rate(BATCH, () => repeat(ours), seconds)
    for (const [name, body] of Object.entries(peers)) measured[name] = await rate(BATCH, () => repeat(body), seconds)
    results.push({ id, n: BYTES, ours: mine, peers: measured, unit: "signals/s" })
  }
  return results
}

function textWorkloads(): readonly Workload[] {
  const signal = createSignal(orderCreated())
  const official = new CloudEvent(orderCreated())
  const text = encodeJson(signal)
  if (text.length !== BYTES) throw new Error(`expected an event of ${BYTES} bytes, got ${text.length}`)
  return [
    {
      id: "json.serialize",
      ours: () => encodeJson(signal),
      peers: { "JSON.stringify alone": () => JSON.stringify(signal), cloudevents: () => official.toString() },
    },
    {
      id: "json.deserialize",
      ours: () => decodeJson(text),
      peers: { "JSON.parse alone": () => JSON.parse(text), cloudevents: () => new CloudEvent(JSON.parse(text)) },
    },
  ]
}

async function msgpackWorkloads(): Promise<readonly Workload[]> {
  const signal = createSignal(orderCreated())
  const packed = await encodeMsgpack(signal)
  return [
    {
      id: "msgpack.serialize",
      ours: () => encodeMsgpack(signal),
      peers: { "@msgpack/msgpack alone": () => encode(signal) },
    },
    {
      id: "msgpack.deserialize",
      ours: () => decodeMsgpack(packed),
      peers: { "@msgpack/msgpack alone": () => decode(packed) },
    },
  ]
}

function httpWorkloads(): readonly Workload[] {
  const signal = createSignal(orderCreated())
  const official = new CloudEvent(orderCreated())
  const modes = ["binary", "structured"] as const
  return modes.flatMap((mode) => {
    const message = toHttp(signal, mode)
    const forSdk = { headers: { ...message.headers }, body: message.body }
    return [
      {
        id: `http.${mode}.write`,
        ours: () => toHttp(signal, mode),
        peers: { cloudevents: () => HTTP[mode](official) },
      },
      { id: `http.${mode}.read`, ours: () => fromHttp(message), peers: { cloudevents: () => HTTP.toEvent(forSdk) } },
    ]
  })
}

async function repeat(body: () => unknown): Promise<void> {
  for (let round = 0; round < BATCH; round++) {
    const answer = body()
    if (answer instanceof Promise) await answer
  }
}
