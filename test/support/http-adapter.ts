import { afterEach } from "vitest"
import { httpAdapter } from "../../src/signal/dispatch/adapter-http.ts"
import { createBreaker } from "../../src/signal/dispatch/breaker.ts"
import type { DispatchContext } from "../../src/signal/dispatch/dispatch-adapter.ts"
import type { HttpSettings } from "../../src/signal/dispatch/http-delivery.ts"
import { createSignal } from "../../src/signal/signal.ts"
import { type Answer, type LocalEndpoint, startEndpoint } from "./local-endpoint.ts"
import { ManualClock } from "./manual-clock.ts"

export const leadReceived = createSignal({
  type: "lead.received",
  source: "/crm",
  subject: "lead:ü",
  data: { leadId: "123" },
})

/** What a dispatcher would pass on a first try. */
export function newContext(): DispatchContext {
  return { abort: new AbortController().signal, attempt: 1 }
}

/** The time that an adapter of `setUpHttp` reads an answer's body; unlike all its other times. */
export const BODY_MS = 777

/** An adapter with a clock that stands still and no chance in its waits, and a delivery through it. */
export function setUpHttp(settings: HttpSettings = {}) {
  const clock = new ManualClock()
  const breaker = createBreaker({ now: clock.now })
  const adapter = httpAdapter({ clock, breaker, random: () => 0, responseBodyMs: BODY_MS, ...settings })
  const send = (options: Record<string, unknown>, how: Partial<DispatchContext> = {}) =>
    Promise.resolve(adapter.deliver(leadReceived, adapter.validate(options), { ...newContext(), ...how }))
  return { adapter, breaker, clock, send }
}

/** Starts endpoints that are closed after each test of the file. */
export function endpointsForTests(): (answer?: Answer) => Promise<LocalEndpoint> {
  const endpoints: LocalEndpoint[] = []
  afterEach(async () => {
    await Promise.all(endpoints.splice(0).map((endpoint) => endpoint.close()))
  })
  return async (answer) => {
    const endpoint = await startEndpoint(answer)
    endpoints.push(endpoint)
    return endpoint
  }
}

/** Answers every request alike. */
export const alwaysStatus =
  (status: number): Answer =>
  (response) =>
    response.writeHead(status).end("no")
