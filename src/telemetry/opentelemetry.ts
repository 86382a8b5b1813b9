import {
  type Attributes,
  type Context,
  context,
  isSpanContextValid,
  type Link,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  type SpanOptions,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Tracer,
} from "@opentelemetry/api"
import { formatTraceparent, parseTraceparent } from "../signal/trace/trace-context.ts"
import type { SpanListener, SpanName, TelemetrySpan, TelemetrySpans } from "./spans.ts"
import { describeThrown, knownCode } from "./thrown.ts"

/** How `openTelemetry` traces. */
export interface OpenTelemetryOptions {
  /** Makes the spans. Default: the tracer `fleetprompt` of the provider that is registered. */
  readonly tracer?: Tracer
  /** Which steps become spans. Default: all. */
  readonly steps?: readonly SpanName[]
}

/**
 * A listener that makes each step an OpenTelemetry span, by the API alone: without an SDK it does nothing.
 *
 * A call of emit is a producer span within what is traced at that moment, and the signal carries it as
 * `traceparent`. Each run of a handler is a consumer span that begins a trace of its own, with a link to the
 * emit; a signal may have many handlers, and they may run days later. What a handler does is within its
 * span. The worker's own steps begin a trace each: they work for many signals and tenants at once.
 *
 * @example
 * import { openTelemetry } from "fleetprompt/opentelemetry"
 * fleet.telemetry.listen(openTelemetry())
 */
export function openTelemetry({
  tracer = trace.getTracer("fleetprompt"),
  steps,
}: OpenTelemetryOptions = {}): SpanListener {
  const spans = new WeakMap<TelemetrySpan, Span>()
  return {
    start: (step) => {
      if (!steps || steps.includes(step.name)) spans.set(step, tracer.startSpan(nameOf(step), optionsOf(step)))
    },
    around: (step, work) => context.with(contextOf(step, spans.get(step)), work),
    stop: (step) => {
      const span = spans.get(step)
      if (!span) return
      span.setAttributes(attributesOf(step))
      if (step.name === "run" && hasFailed(step.fields)) fail(span, step.fields.thrown)
      span.end()
    },
    error: (step, error) => {
      const span = spans.get(step)
      if (!span) return
      fail(span, error)
      span.end()
    },
    traceparent: () => traceparentOf(trace.getSpanContext(context.active())),
  }
}

/** Emits and statements are within what is going on; the rest begins anew, without another's baggage. */
function contextOf(step: TelemetrySpan, span: Span | undefined): Context {
  const outer = isWithin(step) ? context.active() : ROOT_CONTEXT
  return span ? trace.setSpan(outer, span) : outer
}

function isWithin({ name }: TelemetrySpan): boolean {
  return name === "emit" || name === "statement"
}

/** Names have few values, as the conventions ask: what is emitted, what runs, which statement. */
function nameOf(step: TelemetrySpan): string {
  if (step.name === "emit") return `emit ${step.fields.type}`
  if (step.name === "run") return `run ${step.fields.handler}`
  return step.name === "statement" ? step.fields.statement : `fleetprompt ${step.name}`
}

/**
 * A worker's step would otherwise be within whatever was traced when its loop was started, for example in
 * somebody's request.
 */
function optionsOf(step: TelemetrySpan): SpanOptions {
  const attributes = attributesOf(step)
  if (step.name === "emit") return { kind: SpanKind.PRODUCER, attributes }
  if (step.name === "statement") return { kind: SpanKind.CLIENT, attributes }
  if (step.name !== "run") return { kind: SpanKind.INTERNAL, root: true, attributes }
  return { kind: SpanKind.CONSUMER, root: true, links: linksTo(step.fields.traceparent), attributes }
}

function linksTo(traceparent: string | null): Link[] {
  const emitter = traceparent === null ? undefined : parseTraceparent(traceparent)
  if (!emitter) return []
  const { traceId, spanId, sampled = false } = emitter
  const traceFlags = sampled ? TraceFlags.SAMPLED : TraceFlags.NONE
  return [{ context: { traceId, spanId, traceFlags, isRemote: true } }]
}

function attributesOf(step: TelemetrySpan): Attributes {
  if (step.name === "emit") return known(emitAttributes(step.fields))
  if (step.name === "run") return known(runAttributes(step.fields))
  if (step.name === "statement") return { "db.system.name": "postgresql", "db.operation.name": step.fields.statement }
  return known(prefixed(step.fields))
}

/** Those that have a value already. */
function known(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined))
}

/** As the semantic conventions for messaging have it, with ours for what they do not know. */
function emitAttributes(fields: TelemetrySpans["emit"]): Attributes {
  return {
    "messaging.system": "fleetprompt",
    "messaging.operation.name": "emit",
    "messaging.operation.type": "send",
    "messaging.destination.name": fields.type,
    "messaging.message.id": fields.signalId,
    "messaging.message.conversation_id": fields.correlationId,
    "fleetprompt.tenant": fields.tenant,
    "fleetprompt.inserted": fields.inserted,
  }
}

function runAttributes(fields: TelemetrySpans["run"]): Attributes {
  return {
    "messaging.system": "fleetprompt",
    "messaging.operation.name": "run",
    "messaging.operation.type": "process",
    "messaging.destination.name": fields.type,
    "messaging.consumer.group.name": fields.handler,
    "messaging.message.id": fields.signalId,
    "messaging.message.conversation_id": fields.correlationId,
    "fleetprompt.tenant": fields.tenant,
    "fleetprompt.handler": fields.handler,
    "fleetprompt.attempt": fields.attempt,
    "fleetprompt.causation_id": fields.causationId ?? undefined,
    "fleetprompt.outcome": fields.outcome,
  }
}

function prefixed(fields: Readonly<Record<string, string | number | undefined>>): Attributes {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [`fleetprompt.${snakeCase(name)}`, value]))
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

function hasFailed({ outcome }: TelemetrySpans["run"]): boolean {
  return outcome === "failed" || outcome === "dead" || outcome === "lost"
}

/** The error's own text may hold anything, so it is the described one that is recorded. */
function fail(span: Span, error: unknown): void {
  const { name, message, stack } = describeThrown(error)
  span.setAttribute("error.type", knownCode(error) ?? String(name))
  span.recordException({ name: String(name), message: String(message), stack: String(stack) })
  span.setStatus({ code: SpanStatusCode.ERROR, message: String(message) })
}

function traceparentOf(current: SpanContext | undefined): string | undefined {
  if (!current || !isSpanContextValid(current)) return undefined
  const { traceId, spanId, traceFlags } = current
  return formatTraceparent({ traceId, spanId, sampled: (traceFlags & TraceFlags.SAMPLED) !== 0 })
}
