import { describe, expect, expectTypeOf, test } from "vitest"
import { z } from "zod"
import { isFleetPromptError } from "../errors.ts"
import { checksumOf } from "./directive-params.ts"
import { defineDirective } from "./define-directive.ts"
import type { Directive } from "./directive.ts"
import type { TenantDirectives } from "./directives-door.ts"
import { byType, definitionOf } from "./known-directives.ts"
import { StepBook } from "./step-book.ts"

const params = z.object({ slug: z.string(), version: z.string().default("latest") })
const definition = { type: "package.install", params, run: () => null }

function problemOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (isFleetPromptError(error)) return `${error.code}: ${error.message}`
  }
  return "nothing was wrong"
}

describe("a definition", () => {
  test("has defaults, and is a value that does not change", () => {
    const directive = defineDirective(definition)
    expect(directive).toMatchObject({
      type: "package.install",
      roles: ["owner", "admin"],
      attempts: 5,
      timeoutMs: 300_000,
      visibility: "internal",
    })
    expect(directive.needsApproval({})).toBe(false)
    expect(directive.summary({ a: 1 })).toEqual({ a: 1 })
    expect(directive.summary("x".repeat(3_000))).toEqual({ omitted: true, length: 3_002 })
    expect(Object.isFrozen(directive)).toBe(true)
  })

  test.each([
    ["install", "a type such as"],
    ["Package.install", "a type such as"],
    ["package.install-all", "a type such as"],
    ["package..install", "a type such as"],
    [`p.${"x".repeat(100)}`, "at most 100 characters"],
  ])("is refused with the type %s", (type, expected) => {
    expect(problemOf(() => defineDirective({ ...definition, type }))).toContain(expected)
  })

  test.each([
    [{ params: {} }, "Standard Schema"],
    [{ roles: ["boss"] }, "as roles"],
    [{ roles: [] }, "as roles"],
    [{ run: 1 }, "a function as run"],
    [{ undo: 1 }, "a function as undo"],
    [{ approval: "yes" }, "as approval"],
    [{ timeoutMs: 0 }, "timeoutMs of directive package.install"],
    [{ retry: { attempts: 0 } }, "retry.attempts of directive package.install"],
    [{ trail: { begun: () => undefined } }, 'got "begun"'],
    [{ trail: { domain: "Package" } }, "trail.domain"],
  ])("is refused with %j", (wrong, expected) => {
    // As code without types may write it.
    const problem = problemOf(() => defineDirective({ ...definition, ...wrong } as unknown as typeof definition))
    expect(problem).toContain("directive_invalid")
    expect(problem).toContain(expected)
  })

  test("ties what is requested to its schema", () => {
    const directive = defineDirective({
      type: "package.install",
      params,
      run: (context) => {
        expectTypeOf(context.params.slug).toEqualTypeOf<string>()
        expectTypeOf(context.params.version).toEqualTypeOf<string>()
        return { installed: context.params.slug }
      },
    })
    expectTypeOf(directive).toExtend<Directive>()
    type Request = TenantDirectives["request"]
    // Never called: the compiler alone looks at it.
    const ask = (request: Request) => [
      request(directive, { slug: "triage" }),
      request("package.install", { anything: 1 }),
      // @ts-expect-error its params have no such field
      request(directive, { slug: 1 }),
    ]
    expect(ask).toBeTypeOf("function")
  })
})

describe("definitions by type", () => {
  const other = (type: string) => defineDirective({ ...definition, type })

  test("each have their own", () => {
    expect(problemOf(() => byType([other("a.b"), other("a.b")]))).toContain('two called "a.b"')
  })

  test("that are similar to an unknown one are named first", () => {
    const known = byType(["package.install", "package.enable", "tenant.repair"].map(other))
    expect(definitionOf("tenant.repair", known).type).toBe("tenant.repair")
    expect(problemOf(() => definitionOf("tenant.repiar", known))).toMatch(/directives, tenant\.repair, package/)
    expect(problemOf(() => definitionOf("a.b", byType([])))).toContain("defines none")
    expect(
      problemOf(() => definitionOf("a.b", byType(Array.from({ length: 25 }, (_, n) => other(`x.y${n}`))))),
    ).toContain("or one of 5 more")
  })
})

test("a checksum goes by what is said, not by how it is written", () => {
  expect(checksumOf({ a: 1, b: [1, { c: null, d: "e" }] })).toBe(checksumOf({ b: [1, { d: "e", c: null }], a: 1 }))
  expect(checksumOf({ a: 1 })).not.toBe(checksumOf({ a: 2 }))
  expect(checksumOf({ a: 1 })).toMatch(/^[0-9a-f]{64}$/)
})

describe("the steps of an attempt", () => {
  const bookOf = (ended: Readonly<Record<string, number>>, isUndoing = false, signal = new AbortController().signal) =>
    new StepBook({ ended: new Map(Object.entries(ended)), isUndoing, signal, keyOf: (name) => `k:${name}` })

  test("are named once each", async () => {
    const book = bookOf({})
    await book.do("one", {}, async () => 1)
    await expect(book.do("one", {}, async () => 1)).rejects.toMatchObject({ code: "directive_invalid" })
    await expect(book.do("$undo", {}, async () => 1)).rejects.toMatchObject({ code: "directive_invalid" })
  })

  test("begin nothing once the signal fired or the directive is being undone, but know what has ended", async () => {
    const abort = new AbortController()
    abort.abort(new Error("over"))
    const never = async (): Promise<number> => {
      throw new Error("was begun")
    }
    const stopped = bookOf({ one: 1 }, false, abort.signal)
    expect(await stopped.do("one", {}, never)).toBe(1)
    await expect(stopped.do("two", {}, never)).rejects.toThrow("over")
    const undoing = bookOf({ one: 1 }, true)
    const undone: unknown[] = []
    expect(await undoing.do("one", { undo: (result) => void undone.push(result) }, never)).toBe(1)
    await expect(undoing.do("two", {}, never)).rejects.toThrow("nothing begins any more")
    await undoing.undos.get("one")?.({ key: "k", signal: abort.signal })
    expect(undone).toEqual([1])
    expect([undoing.cameTo("one"), undoing.cameTo("three")]).toEqual([true, false])
  })
})
