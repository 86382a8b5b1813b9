import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Handler } from "../delivery/handler-definition.ts"
import { copyJson, type JsonValue } from "../signal/json.ts"
import { createSignal } from "../signal/signal.ts"
import type { StoredSignal } from "../signal/stored-signal.ts"
import { loadExamples } from "./feed.ts"
import { demoHandlers } from "./handlers.ts"

const MAX_BYTES = 4_096
const examples = (await loadExamples()).map(({ event, action, body }) => ({
  type: ["github", event, ...(action === null ? [] : [action])].join("."),
  // The examples are JSON objects.
  payload: JSON.parse(new TextDecoder().decode(body)) as JsonValue,
}))

describe("the demo's handlers", () => {
  it("have names of their own", () => {
    expect(new Set(demoHandlers.map(({ name }) => name)).size).toBe(demoHandlers.length)
  })

  it("survive all 329 payloads, and emit small JSON", async () => {
    expect(examples).toHaveLength(329)
    for (const { type, payload } of examples) {
      for (const { signal, depth } of await cascade(type, payload)) {
        if (depth === 0) continue
        expect(signal.type, type).toMatch(/^(activity|triage|ci|review|security|release|community)(\.[a-z]+)+$/)
        expect(JSON.stringify(signal.data).length, signal.type).toBeLessThan(MAX_BYTES)
      }
    }
  })

  it("turn them into these signals", async () => {
    const counts: Record<string, number> = {}
    for (const { type, payload } of examples) {
      for (const { signal, depth } of await cascade(type, payload)) {
        if (depth > 0) counts[signal.type] = (counts[signal.type] ?? 0) + 1
      }
    }
    expect(counts).toEqual({
      "activity.recorded": 329,
      "triage.requested": 4,
      "triage.labelled": 4,
      "triage.assigned": 4,
      "ci.requested": 2,
      "ci.planned": 2,
      "ci.staged": 2,
      "ci.concluded": 12,
      "ci.flagged": 3,
      "review.requested": 9,
      "review.sized": 9,
      "review.planned": 9,
      "security.alerted": 17,
      "security.rated": 17,
      "security.response.planned": 8,
      "release.recorded": 3,
      "release.classified": 3,
      "release.announcement.drafted": 3,
      "community.engaged": 8,
      "community.milestone.reached": 8,
    })
  })

  it.each([
    ["github.issues.opened", ["triage.requested", "triage.labelled", "triage.assigned"]],
    ["github.push", ["ci.requested", "ci.planned", "ci.staged"]],
    ["github.check_run.completed", ["ci.concluded", "ci.flagged"]],
    ["github.pull_request.opened", ["review.requested", "review.sized", "review.planned"]],
    ["github.dependabot_alert.created", ["security.alerted", "security.rated", "security.response.planned"]],
    ["github.release.published", ["release.recorded", "release.classified", "release.announcement.drafted"]],
    ["github.star.created", ["community.engaged", "community.milestone.reached"]],
  ])("make of some %s the chain %j", async (type, chain) => {
    const cascades = await Promise.all(
      examples.filter((example) => example.type === type).map(({ payload }) => cascade(type, payload)),
    )
    const chains = cascades.map((caused) =>
      caused
        .filter(({ depth, signal }) => depth > 0 && signal.type !== "activity.recorded")
        .map(({ signal }) => signal.type),
    )
    expect(chains).toContainEqual(chain)
  })

  it("emit the same for the same payload", async () => {
    for (const { type, payload } of examples.slice(0, 50)) {
      const [once, again] = [await cascade(type, payload), await cascade(type, payload)]
      expect(again.map(({ signal }) => signal.data)).toEqual(once.map(({ signal }) => signal.data))
    }
  })

  it("survive payloads GitHub never sent", async () => {
    const types = [...new Set(examples.map(({ type }) => type)), "github.secret_scanning_alert.created"]
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...types), fc.oneof(anyJson(), damaged()), async (type, payload) => {
        await cascade(type, payload)
      }),
    )
  })
})

interface Caused {
  readonly signal: StoredSignal<JsonValue>
  /** How many causes stand before it. */
  readonly depth: number
}

/** What a fleet would come to store: runs every handler on the signal and on all that it leads to. */
async function cascade(type: string, data: JsonValue): Promise<readonly Caused[]> {
  const caused: Caused[] = [{ signal: stored(type, data), depth: 0 }]
  for (const { signal, depth } of caused) {
    // A loop would never end; no chain of the demo is longer.
    expect(depth).toBeLessThan(4)
    for (const handler of handlersFor(signal)) {
      await run(handler, signal, (next) => caused.push({ signal: next, depth: depth + 1 }))
    }
  }
  return caused
}

function handlersFor(signal: StoredSignal<JsonValue>): readonly Handler[] {
  return demoHandlers.filter(({ on, where }) => on.matches(signal.type) && (where?.(signal) ?? true))
}

async function run(
  handler: Handler,
  signal: StoredSignal<JsonValue>,
  onEmit: (signal: StoredSignal<JsonValue>) => void,
) {
  await handler.run({
    signal,
    tenant: "demo",
    deliveryId: "1",
    attempt: 1,
    signals: [],
    replay: null,
    abort: new AbortController().signal,
    credentials: { get: () => Promise.reject(new Error("not asked")) },
    emit: async (type, data) => {
      const emitted = stored(type, data)
      onEmit(emitted)
      return { signal: emitted, inserted: true }
    },
  })
}

/** As the store would have it; throws on data that it would refuse. */
function stored(type: string, data: JsonValue): StoredSignal<JsonValue> {
  const signal = createSignal<JsonValue>({ type, source: "test", data: copyJson(data, "data") })
  const metadata = { schema_version: 1, correlation_id: signal.id, causation_id: null }
  return { ...signal, tenant: "demo", metadata, visibility: "internal", dedupeKey: null, sourceEventId: null }
}

function anyJson(): fc.Arbitrary<JsonValue> {
  return fc.jsonValue({ noUnicodeString: false }).filter(isStorable) as fc.Arbitrary<JsonValue>
}

/** A real payload, one value of which, somewhere, is replaced by another. */
function damaged(): fc.Arbitrary<JsonValue> {
  return fc.tuple(fc.constantFrom(...examples), fc.nat(), anyJson()).map(([{ payload }, at, replacement]) => {
    const text = JSON.stringify(payload)
    const places = [...text.matchAll(/":(?="|[0-9tfn[{])/g)].length
    let place = at % Math.max(places, 1)
    return JSON.parse(text, (_, value: JsonValue) => (place-- === 0 ? replacement : value)) as JsonValue
  })
}

function isStorable(value: unknown): boolean {
  try {
    copyJson(value, "data")
    return true
  } catch {
    return false
  }
}
