import { expect, expectTypeOf, test } from "vitest"
import type { JsonObject } from "../signal/json.ts"
import type { StandardResult, StandardSchema } from "../signal/standard-schema.ts"
import { defineActionTemplate, defineHandlerTemplate } from "./define-template.ts"
import { readParams, templatesOf } from "./templates.ts"

function schema<Output>(
  validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>,
): StandardSchema<unknown, Output> {
  return { "~standard": { version: 1, vendor: "test", validate } }
}

const labelSchema = schema<{ label: string }>((value) => {
  const label: unknown = Reflect.get(Object(value), "label")
  return typeof label === "string"
    ? { value: { label } }
    : { issues: [{ message: "expected a text, got 12345", path: ["label"] }] }
})

test("a handler template has the defaults of a handler, and its own limits", () => {
  const plain = defineHandlerTemplate({ name: "test.note", run: () => {} })
  expect(plain).toMatchObject({ kind: "handler", name: "test.note", description: "", params: undefined })
  expect(plain.options).toMatchObject({ attempts: 5, timeoutMs: 60_000, flow: "plain" })
  const limited = defineHandlerTemplate({
    name: "test.note",
    timeoutMs: 7,
    retry: { attempts: 2 },
    concurrency: { perTenant: 3 },
    run: () => {},
  })
  expect(limited.options).toMatchObject({ attempts: 2, timeoutMs: 7, flow: "limited", limits: { perTenant: 3 } })
})

test("the run is given what the schema returns", () => {
  defineHandlerTemplate({
    name: "test.note",
    params: labelSchema,
    run: ({ params }) => void expectTypeOf(params).toEqualTypeOf<{ label: string }>(),
  })
  defineHandlerTemplate({
    name: "test.note",
    run: ({ params }) => void expectTypeOf(params).toEqualTypeOf<JsonObject>(),
  })
  defineActionTemplate({
    name: "test.note",
    params: labelSchema,
    run: ({ params }) => {
      expectTypeOf(params).toEqualTypeOf<{ label: string }>()
      return null
    },
  })
})

test.each([
  ["a name", { name: "no name" }, `expected a name such as "triage.label"`],
  ["a timeout", { timeoutMs: 0 }, "as timeoutMs of template test.note, got 0"],
  ["a limit", { concurrency: { perTenant: 0 } }, "as concurrency.perTenant of template test.note, got 0"],
  ["a schema", { params: { parse: () => {} } }, "expected a validator with Standard Schema version 1 as params"],
  ["a run", { run: undefined }, "expected a function as run of template test.note, got undefined"],
])("%s that is none is refused", (_, wrong, message) => {
  // As a caller without types may give it.
  const definition = { name: "test.note", run: () => {}, ...wrong } as Parameters<typeof defineHandlerTemplate>[0]
  expect(() => defineHandlerTemplate(definition)).toThrow(
    expect.objectContaining({ code: "template_invalid", message: expect.stringContaining(message) }),
  )
})

test("params are read by the schema; what does not fit is told without the value", () => {
  const template = defineHandlerTemplate({ name: "test.note", params: labelSchema, run: () => {} })
  expect(readParams(template, { label: "bug", more: true })).toEqual({ label: "bug" })
  expect(() => readParams(template, { label: 12_345 })).toThrow(
    expect.objectContaining({
      code: "template_params_invalid",
      message: "expected what template test.note takes, got: with.label does not fit",
      path: "with.label",
    }),
  )
  expect(readParams(defineHandlerTemplate({ name: "test.note", run: () => {} }), { any: 1 })).toEqual({ any: 1 })
})

test("a schema that does not answer at once is refused", () => {
  const params = schema<JsonObject>(async () => ({ value: {} }))
  const template = defineHandlerTemplate({ name: "test.note", params, run: () => {} })
  expect(() => readParams(template, {})).toThrow(expect.objectContaining({ code: "template_invalid" }))
})

test("templates are found by name, handlers and actions apart; two of a kind cannot share one", () => {
  const handler = defineHandlerTemplate({ name: "test.note", run: () => {} })
  const action = defineActionTemplate({ name: "test.note", run: () => null })
  const { handlers, actions } = templatesOf([handler, action])
  expect([handlers.get("test.note"), actions.get("test.note")]).toEqual([handler, action])
  expect(() => templatesOf([handler, action, handler])).toThrow(
    expect.objectContaining({ code: "template_invalid", message: expect.stringContaining(`two called "test.note"`) }),
  )
})
