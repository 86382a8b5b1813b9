import { context } from "@opentelemetry/api"
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks"
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base"
import { afterAll, beforeAll, expect, test } from "vitest"
import { defineHandler } from "../src/delivery/handler.ts"
import { openTelemetry } from "../src/telemetry/opentelemetry.ts"
import { testDatabase, type TestDatabase } from "./support/test-database.ts"
import { testFleet } from "./support/test-fleet.ts"

let db: TestDatabase
const contexts = new AsyncLocalStorageContextManager()
beforeAll(async () => {
  context.setGlobalContextManager(contexts.enable())
  db = await testDatabase()
})
afterAll(async () => {
  context.disable()
  await db.close()
})

const exporter = new InMemorySpanExporter()
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
const tracer = provider.getTracer("test")

function spanOf(name: string): ReadableSpan {
  return exporter.getFinishedSpans().find((span) => span.name === name) ?? expect.unreachable(`no span ${name}`)
}

const qualify = defineHandler({
  name: "traced.qualify",
  on: "traced.received",
  run: async ({ emit }) => {
    await tracer.startActiveSpan("score", async (span) => span.end())
    await emit("traced.qualified", {})
  },
})
const enrich = defineHandler({ name: "traced.enrich", on: "traced.qualified", run: () => {} })

test("from a request over its handler to the next one, links lead all the way", async () => {
  const { fleet, tenant } = await testFleet(db.database, { handlers: [qualify, enrich] })
  fleet.telemetry.listen(openTelemetry({ tracer }))
  await tracer.startActiveSpan("POST /leads", async (request) => {
    await tenant.emit("traced.received", {})
    request.end()
  })
  await fleet.drain()
  const [request, first, run, score, second, next] = [
    "POST /leads",
    "emit traced.received",
    "run traced.qualify",
    "score",
    "emit traced.qualified",
    "run traced.enrich",
  ].map(spanOf)
  expect(first?.parentSpanContext?.spanId).toBe(request?.spanContext().spanId)
  expect(run?.parentSpanContext).toBeUndefined()
  expect(run?.links.map((it) => it.context.spanId)).toEqual([first?.spanContext().spanId])
  for (const inner of [score, second]) expect(inner?.parentSpanContext?.spanId).toBe(run?.spanContext().spanId)
  expect(next?.links.map((it) => it.context.spanId)).toEqual([second?.spanContext().spanId])
  expect(next?.attributes).toMatchObject({
    "fleetprompt.tenant": tenant.slug,
    "fleetprompt.outcome": "done",
    "messaging.message.conversation_id": first?.attributes["messaging.message.id"],
  })
})
