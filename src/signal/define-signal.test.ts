import { type } from "arktype"
import * as v from "valibot"
import { describe, expect, expectTypeOf, test } from "vitest"
import { z } from "zod"
import { defineSignal, type TypedSignal } from "./define-signal.ts"
import { createSignal, type Signal } from "./signal.ts"
import type { StandardResult, StandardSchema } from "./standard-schema.ts"

interface Lead {
  leadId: string
  budget: number
  tags?: string[] | undefined
}

const definition = { type: "lead.received", source: "/crm" }
const lead = { leadId: "1", budget: 900_000 }

/** A schema made by hand. */
function schemaOf<Output>(validate: (value: unknown) => StandardResult<Output>): StandardSchema<Output> {
  return { "~standard": { version: 1, vendor: "test", validate } }
}

function refusing(...issues: readonly { message: string; path?: readonly (PropertyKey | { key: PropertyKey })[] }[]) {
  return defineSignal({ ...definition, schema: schemaOf<Lead>(() => ({ issues })) })
}

function messageOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    return String(error)
  }
  return "nothing was thrown"
}

const validators: readonly [string, TypedSignal<Lead, Lead>][] = [
  [
    "zod",
    defineSignal({
      ...definition,
      schema: z.object({ leadId: z.string(), budget: z.number(), tags: z.array(z.string()).optional() }),
    }),
  ],
  [
    "valibot",
    defineSignal({
      ...definition,
      schema: v.object({ leadId: v.string(), budget: v.number(), tags: v.optional(v.array(v.string())) }),
    }),
  ],
  [
    "arktype",
    defineSignal({
      ...definition,
      schema: type({ leadId: "string", budget: "number", "tags?": "string[] | undefined" }),
    }),
  ],
]

describe.each(validators)("with %s", (_, leadReceived) => {
  test("a signal is made, and read back", () => {
    const signal = leadReceived.create(lead, { subject: "lead:1", myext: 7 })
    expect(signal).toMatchObject({ type: "lead.received", source: "/crm", subject: "lead:1", myext: 7, data: lead })
    expect(Object.isFrozen(signal) && Object.isFrozen(signal.data)).toBe(true)
    expect(leadReceived.parse(JSON.parse(JSON.stringify(signal)))).toEqual(signal)
    expect(leadReceived.is(signal)).toBe(true)
  })

  test("data that does not fit is refused where it does not, without its values", () => {
    // As a caller without types may.
    const wrong = { leadId: "1", budget: "hunter2-is-secret", tags: ["a", 5] } as unknown as Lead
    const error = expect.objectContaining({ code: "data_invalid", path: "data.budget" })
    expect(() => leadReceived.create(wrong)).toThrow(error)
    const message = messageOf(() => leadReceived.parse(createSignal({ ...definition, data: wrong })))
    expect(message).toContain("data.budget")
    expect(message).toContain("data.tags[1]")
    expect(message).not.toContain("hunter2")
    expect(leadReceived.is(createSignal({ ...definition, data: wrong }))).toBe(false)
  })

  test("further keys do not hinder", () => {
    expect(leadReceived.is(createSignal({ ...definition, data: { ...lead, more: 1 } }))).toBe(true)
  })
})

test("what the schema returns is what the signal holds", () => {
  const signedUp = defineSignal({ type: "user.signed-up", schema: z.object({ plan: z.string().default("free") }) })
  const signal = signedUp.create({}, { source: "/auth" })
  expect(signal.data).toEqual({ plan: "free" })
  const raw = createSignal({ type: "user.signed-up", source: "/auth", data: {} })
  expect(signedUp.is(raw)).toBe(false)
  expect(signedUp.parse(raw).data).toEqual({ plan: "free" })
  expect(Object.isFrozen(signedUp.parse(raw).data)).toBe(true)
})

test("another type is no signal of this one", () => {
  const signal = createSignal({ type: "lead.lost", source: "/crm", data: lead })
  const leadReceived = defineSignal({ ...definition, schema: schemaOf<Lead>(() => ({ value: lead })) })
  expect(leadReceived.is(signal)).toBe(false)
  expect(() => leadReceived.parse(signal)).toThrow(expect.objectContaining({ code: "signal_invalid", path: "type" }))
})

test.each([
  ["equal", { list: [1, { a: null }] }, { list: [1, { a: null }] }, true],
  ["within", { list: [{ a: 1 }] }, { list: [{ a: 1, b: 2 }], c: 3 }, true],
  ["another value", { a: "1" }, { a: 1 }, false],
  ["a longer list", { list: [1] }, { list: [1, 2] }, false],
  ["a list for an object", { list: { 0: 1 } }, { list: [1] }, false],
  ["a key of Object", { constructor: Object }, {}, false],
])("data that the schema returns as %s", (_, value, data, is) => {
  const typed = defineSignal({ ...definition, schema: schemaOf<unknown>(() => ({ value })) })
  expect(typed.is(createSignal({ ...definition, data }))).toBe(is)
})

test("a source must come from somewhere, and attributes cannot change the type", () => {
  const typed = defineSignal({ type: "a.b", schema: schemaOf<number>(() => ({ value: 1 })) })
  expect(() => typed.create(1)).toThrow(expect.objectContaining({ code: "signal_invalid", path: "source" }))
  expect(typed.create(1, { source: "/x", type: "c.d", data: 2 })).toMatchObject({ type: "a.b", source: "/x", data: 1 })
})

test("what the schema returns must be JSON", () => {
  const typed = defineSignal({ ...definition, schema: z.object({ at: z.coerce.date() }) })
  expect(() => typed.create({ at: "2026-01-01" })).toThrow(
    expect.objectContaining({ code: "data_not_json", path: "data.at" }),
  )
})

describe("issues", () => {
  test("are listed with their paths, ten at most", () => {
    const issues = Array.from({ length: 12 }, (_, index) => ({
      message: `wrong ${"x".repeat(300)}`,
      path: ["items", { key: index }, "my key"],
    }))
    const message = messageOf(() => refusing(...issues).create(lead))
    expect(message).toContain('data.items[9]["my key"]: wrong')
    expect(message).not.toContain("data.items[10]")
    expect(message).toContain("and 2 more")
    expect(message.length).toBeLessThan(4_000)
    expect(() => refusing(...issues).create(lead)).toThrow(
      expect.objectContaining({ code: "data_invalid", path: 'data.items[0]["my key"]' }),
    )
  })

  test("without a path are about the data", () => {
    const message = messageOf(() => refusing({ message: "end before start" }).create(lead))
    expect(message).toContain("data: end before start")
  })

  test.each([
    ["a text", { token: "hunter2" }, 'got "hunter2"'],
    ["a part of a text", { token: "hunter2-and-more" }, "got hunter2-…"],
    ["an escaped text", { token: 'say "hi" now' }, 'got "say \\"hi\\" now"'],
    ["a number", { nested: [{ pin: 4711 }] }, "4711 is too small"],
  ])("that show %s of the data lose their text", (_, data, message) => {
    // The schema takes anything.
    const typed = defineSignal({ ...definition, schema: schemaOf<unknown>(() => ({ issues: [{ message }] })) })
    expect(messageOf(() => typed.create(data))).toBe(
      'FleetPromptError: expected data that fits the schema of "lead.received", got: data does not fit',
    )
  })

  test("of large data lose their text", () => {
    const typed = defineSignal({ ...definition, schema: schemaOf<unknown>(() => ({ issues: [{ message: "wrong" }] })) })
    expect(messageOf(() => typed.create(Array.from({ length: 2_000 }, () => 0)))).toContain("data does not fit")
  })
})

describe("a definition is refused", () => {
  test.each([undefined, null, {}, { "~standard": { version: 2, validate: () => ({ value: 1 }) } }])(
    "with the schema %j",
    (schema) => {
      // As a caller without types may.
      expect(() => defineSignal({ type: "a.b", schema: schema as unknown as StandardSchema })).toThrow(
        expect.objectContaining({ code: "schema_invalid" }),
      )
    },
  )

  test("with a wrong type", () => {
    expect(() => defineSignal({ type: "a..b", schema: z.null() })).toThrow(
      expect.objectContaining({ code: "signal_invalid", path: "type" }),
    )
  })
})

describe("a schema that takes its time is refused", () => {
  const slow = v.pipeAsync(
    v.string(),
    v.checkAsync(async () => Promise.reject(new Error("no database"))),
  )
  const typed = defineSignal({ type: "a.b", source: "/x", schema: slow })
  const error = expect.objectContaining({ code: "schema_invalid", message: expect.stringContaining("at once") })

  test("by create, parse and is", () => {
    const signal = createSignal({ type: "a.b", source: "/x", data: "x" })
    expect(() => typed.create("x")).toThrow(error)
    expect(() => typed.parse(signal)).toThrow(error)
    expect(() => typed.is(signal)).toThrow(error)
  })
})

test("the types of data come from the schema", () => {
  const schema = z.object({ plan: z.enum(["free", "pro"]).default("free"), seats: z.coerce.number<string>() })
  const signedUp = defineSignal({ type: "user.signed-up", schema })
  interface Input {
    plan?: "free" | "pro" | undefined
    seats: string
  }
  interface Data {
    plan: "free" | "pro"
    seats: number
  }
  expectTypeOf(signedUp.create).parameter(0).toEqualTypeOf<Input>()
  expectTypeOf(signedUp.create).returns.toEqualTypeOf<Signal<Data>>()
  expectTypeOf(signedUp.parse).returns.toEqualTypeOf<Signal<Data>>()
  expectTypeOf(signedUp.is).guards.toEqualTypeOf<Signal<Data>>()
  const valibot = defineSignal({ type: "a.b", schema: v.object({ n: v.pipe(v.string(), v.transform(Number)) }) })
  expectTypeOf(valibot).toEqualTypeOf<TypedSignal<{ n: string }, { n: number }>>()
  const ark = defineSignal({ type: "a.b", schema: type({ n: "string.numeric.parse" }) })
  expectTypeOf(ark).toEqualTypeOf<TypedSignal<{ n: string }, { n: number }>>()
})
