import {
  context,
  createContextKey,
  type Link,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from "@opentelemetry/api"
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks"
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { FleetPromptError } from "../errors.ts"
import { openTelemetry } from "./opentelemetry.ts"
import type { SpanName, TelemetrySpans } from "./spans.ts"
import { Telemetry } from "./telemetry.ts"

const contexts = new AsyncLocalStorageContextManager()
beforeAll(() => void context.setGlobalContextManager(contexts.enable()))
afterAll(() => context.disable())

const emitFields: TelemetrySpans["emit"] = { tenant: "acme", type: "lead.received" }
const runFields: TelemetrySpans["run"] = {
  tenant: "acme",
  signalId: "0199d3a5-0000-7000-8000-000000000001",
  type: "lead.received",
  handler: "lead.qualify",
  attempt: 2,
  correlationId: "0199d3a5-0000-7000-8000-000000000000",
  causationId: null,
  traceparent: null,
}

interface Traced {
  readonly telemetry: Telemetry
  readonly tracer: Tracer
  /** Those that ended, in that order. */
  readonly spans: () => readonly ReadableSpan[]
}

function traced(steps?: readonly SpanName[]): Traced {
  const exporter = new InMemorySpanExporter()
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  const tracer = provider.getTracer("test")
  const telemetry = new Telemetry()
  telemetry.listen(openTelemetry({ tracer, ...(steps && { steps }) }))
  return { telemetry, tracer, spans: () => exporter.getFinishedSpans() }
}

/** Emits within a span, and gives what the signal would carry. */
async function emitTraced({ telemetry }: Traced): Promise<string | null> {
  const more = { signalId: runFields.signalId, correlationId: runFields.correlationId, inserted: true }
  return telemetry.span(
    "emit",
    emitFields,
    async () => telemetry.traceparent() ?? null,
    () => more,
  )
}

describe("an emit", () => {
  test("is a producer within what is traced, and the signal carries it", async () => {
    const all = traced()
    const traceparent = await all.tracer.startActiveSpan("request", async (request) => {
      const carried = await emitTraced(all)
      request.end()
      return carried
    })
    const [emit, request] = all.spans()
    expect(emit).toMatchObject({
      name: "emit lead.received",
      kind: SpanKind.PRODUCER,
      attributes: {
        "messaging.system": "fleetprompt",
        "messaging.operation.type": "send",
        "messaging.operation.name": "emit",
        "messaging.destination.name": "lead.received",
        "messaging.message.id": runFields.signalId,
        "messaging.message.conversation_id": runFields.correlationId,
        "fleetprompt.tenant": "acme",
        "fleetprompt.inserted": true,
      },
    })
    expect(emit?.parentSpanContext?.spanId).toBe(request?.spanContext().spanId)
    expect(traceparent).toBe(`00-${emit?.spanContext().traceId}-${emit?.spanContext().spanId}-01`)
  })

  test("outside of any trace carries one when it is traced itself, and none otherwise", async () => {
    expect(await emitTraced(traced())).toMatch(/^00-\w{32}-\w{16}-01$/)
    const emitsOnly = traced(["run"])
    expect(await emitTraced(emitsOnly)).toBeNull()
    expect(emitsOnly.spans()).toEqual([])
  })

  test("that throws is in error, without the secret that the error's text holds", async () => {
    const { telemetry, spans } = traced()
    const secret = ["ghp", "_", "a1B2".repeat(9)].join("")
    const error = new FleetPromptError("signal_invalid", `expected no ${secret}`)
    await expect(telemetry.span("emit", emitFields, () => Promise.reject(error))).rejects.toBe(error)
    const [span] = spans()
    expect(span?.status.code).toBe(SpanStatusCode.ERROR)
    expect(span?.attributes["error.type"]).toBe("signal_invalid")
    expect(span?.events).toMatchObject([{ name: "exception" }])
    expect(JSON.stringify([span?.status, span?.events])).not.toContain(secret.slice(0, 12))
  })
})

describe("a run", () => {
  test("is a consumer in a trace of its own, linked to the emit, with what the handler does within it", async () => {
    const all = traced()
    const { telemetry, tracer, spans } = all
    const traceparent = await emitTraced(all)
    await tracer.startActiveSpan("whatever the worker was started in", (span) => {
      span.end()
      return telemetry.span(
        "run",
        { ...runFields, traceparent },
        async () => {
          await Promise.resolve()
          tracer.startSpan("the handler's own").end()
          await emitTraced(all)
        },
        () => ({ outcome: "done" as const }),
      )
    })
    const [emit, , own, effect, run] = spans()
    expect(run).toMatchObject({
      name: "run lead.qualify",
      kind: SpanKind.CONSUMER,
      status: { code: SpanStatusCode.UNSET },
      attributes: {
        "messaging.operation.type": "process",
        "messaging.consumer.group.name": "lead.qualify",
        "messaging.message.id": runFields.signalId,
        "fleetprompt.attempt": 2,
        "fleetprompt.outcome": "done",
      },
    })
    expect(run?.attributes).not.toHaveProperty("fleetprompt.causation_id")
    expect(run?.parentSpanContext).toBeUndefined()
    expect(run?.spanContext().traceId).not.toBe(emit?.spanContext().traceId)
    const { traceId, spanId } = emit?.spanContext() ?? {}
    expect(run?.links.map((it: Link) => it.context)).toEqual([{ traceId, spanId, traceFlags: 1, isRemote: true }])
    for (const inner of [own, effect]) expect(inner?.parentSpanContext?.spanId).toBe(run?.spanContext().spanId)
  })

  test.each([null, "no traceparent", "00-00000000000000000000000000000000-0000000000000000-01"])(
    "of a signal that carries %j has no link",
    async (traceparent) => {
      const { telemetry, spans } = traced()
      await telemetry.span("run", { ...runFields, traceparent }, async () => {})
      expect(spans()[0]?.links).toEqual([])
    },
  )

  test("whose failure is booked is in error", async () => {
    const { telemetry, spans } = traced()
    const thrown = new TypeError("no such lead")
    await telemetry.span(
      "run",
      runFields,
      async () => {},
      () => ({ outcome: "failed" as const, thrown }),
    )
    expect(spans()[0]).toMatchObject({
      status: { code: SpanStatusCode.ERROR, message: "no such lead" },
      attributes: { "error.type": "TypeError", "fleetprompt.outcome": "failed" },
    })
  })
})

test("a worker's own step begins a trace, with its statements within it", async () => {
  const { telemetry, tracer, spans } = traced()
  await tracer.startActiveSpan("somebody's request", (request) => {
    request.end()
    return telemetry.span(
      "claim",
      { worker: "w", lanes: 2 },
      () => telemetry.span("statement", { statement: "claimDeliveries" }, async () => ["a"]),
      (rows) => ({ deliveries: rows.length }),
    )
  })
  const [, statement, claim] = spans()
  expect(claim).toMatchObject({
    name: "fleetprompt claim",
    attributes: { "fleetprompt.worker": "w", "fleetprompt.lanes": 2, "fleetprompt.deliveries": 1 },
  })
  expect(claim?.parentSpanContext).toBeUndefined()
  expect(statement).toMatchObject({
    name: "claimDeliveries",
    kind: SpanKind.CLIENT,
    attributes: { "db.system.name": "postgresql", "db.operation.name": "claimDeliveries" },
  })
  expect(statement?.parentSpanContext?.spanId).toBe(claim?.spanContext().spanId)
})

test("a step that begins anew has nothing of what it was started in, even when it is no span", async () => {
  const { telemetry } = traced(["emit"])
  const key = createContextKey("the request's own")
  await context.with(ROOT_CONTEXT.setValue(key, 1), async () => {
    const seen = async (): Promise<unknown> => context.active().getValue(key)
    expect(await telemetry.span("run", runFields, seen)).toBeUndefined()
    expect(await telemetry.span("statement", { statement: "s" }, seen)).toBe(1)
  })
})

test("without an SDK nothing is traced and nothing breaks", async () => {
  const telemetry = new Telemetry()
  telemetry.listen(openTelemetry())
  expect(await telemetry.span("emit", emitFields, async () => telemetry.traceparent())).toBeUndefined()
  expect(trace.getActiveSpan()).toBeUndefined()
})
