import { describe, expect, test } from "vitest"
import { createRouter, type Router } from "./router.ts"
import { createSignal, type Signal } from "../signal.ts"

const signalOf = (type: string, data: unknown = {}): Signal => createSignal({ type, source: "/test", data })

/** A router whose targets are its patterns. */
function routerOf(...patterns: readonly string[]): Router<string> {
  const router = createRouter<string>()
  for (const pattern of patterns) router.add(pattern, pattern)
  return router
}

function fail(): never {
  throw new Error("broken")
}

describe("order", () => {
  test.each([
    ["a.b", ["**", "**.b", "*.**", "*.b", "a.**", "a.*", "a.b.**", "a.b"]],
    ["a.b.c", ["a.**", "a.**.c", "a.*.**", "a.*.c", "a.b.**", "a.b.*", "a.b.c"]],
    ["a.b", ["a.**", "a.**.b.**", "a.**.b"]],
  ])("on %s the more specific pattern goes first", (type, leastSpecificFirst) => {
    expect(routerOf(...leastSpecificFirst).route(signalOf(type))).toEqual(leastSpecificFirst.toReversed())
  })

  test("a name of Object's own is a name", () => {
    const names = ["constructor", "__proto__", "toString"]
    const router = routerOf(...names.flatMap((name) => [`${name}.**`, `${name}.*`, `${name}.${name}`]))
    for (const name of names)
      expect(router.route(signalOf(`${name}.${name}`))).toEqual([`${name}.${name}`, `${name}.*`, `${name}.**`])
  })

  test("priority goes before specificity, and registration comes last", () => {
    const router = createRouter<string>()
    router.add("**", "first", { priority: 100 })
    router.add("a.b", "fifth", { priority: -100 })
    router.add("a.*", "third")
    router.add("a.b", "second")
    router.add("a.*", "fourth")
    expect(router.route(signalOf("a.b"))).toEqual(["first", "second", "third", "fourth", "fifth"])
  })
})

describe("one match for each route", () => {
  test.each([
    ["a.b.b", ["a.**.b.**"]],
    ["a.a.a.a", ["**.a.**.a.**", "**.a.**", "**"]],
  ])("on %s, whatever the ways a ** has", (type, patterns) => {
    expect(
      routerOf(...patterns)
        .route(signalOf(type))
        .toSorted(),
    ).toEqual(patterns.toSorted())
  })

  test("equal routes are two", () => {
    expect(routerOf("a.b", "a.b").route(signalOf("a.b"))).toEqual(["a.b", "a.b"])
  })

  test("many wildcards on a long type end soon", () => {
    const type = Array.from({ length: 300 }, () => "a").join(".")
    const pattern = `${"**.a.".repeat(100)}**`
    expect(routerOf(pattern).route(signalOf(type))).toEqual([pattern])
  })
})

describe("adding", () => {
  test.each([101, -101, 1.5, Number.NaN, "1"])("priority %s is refused", (priority) => {
    const router = createRouter<string>()
    // The cast lets a text through, as a caller without types may.
    expect(() => router.add("a.b", "x", { priority: priority as number })).toThrow(
      expect.objectContaining({ code: "route_invalid", message: expect.stringContaining("-100 to 100") }),
    )
    expect(router.size).toBe(0)
  })

  test("a wrong pattern or guard is refused", () => {
    const router = createRouter<string>()
    expect(() => router.add("a..b", "x")).toThrow(expect.objectContaining({ code: "pattern_invalid" }))
    // As a caller without types may.
    expect(() => router.add("a.b", "x", { when: "yes" as unknown as () => boolean })).toThrow(
      expect.objectContaining({ code: "route_invalid" }),
    )
    expect(router.list()).toEqual([])
  })

  test("a route is frozen and has what was given", () => {
    const route = createRouter<number>().add("a.*", 1, { priority: 5 })
    expect(route).toEqual({ pattern: "a.*", target: 1, priority: 5 })
    expect(Object.isFrozen(route)).toBe(true)
  })
})

describe("removing", () => {
  test("by pattern takes that very pattern, not those below or those it fits", () => {
    const router = routerOf("a.b", "a.b.c", "a.*", "a", "a.**")
    expect(router.remove("a.b")).toBe(1)
    expect(router.remove("a.**")).toBe(1)
    expect(router.list().map(({ pattern }) => pattern)).toEqual(["a.b.c", "a.*", "a"])
    expect(router.route(signalOf("a.b.c"))).toEqual(["a.b.c"])
    expect(router.remove("a.b")).toBe(0)
  })

  test("by pattern and target takes those alone", () => {
    const router = createRouter<string>()
    for (const target of ["x", "y", "x"]) router.add("a.b", target)
    expect(router.remove("a.b", "x")).toBe(2)
    expect(router.route(signalOf("a.b"))).toEqual(["y"])
  })

  test("by what add returned takes that one of equal routes", () => {
    const router = createRouter<string>()
    const [low, high] = [router.add("a", "x"), router.add("a", "x", { priority: 1 })]
    expect(router.remove(low)).toBe(1)
    expect(router.list()).toEqual([high])
    expect(router.remove(low)).toBe(0)
    expect(createRouter<string>().remove(high)).toBe(0)
  })
})

test("has knows routes, patterns and targets", () => {
  const router = createRouter<string>()
  const route = router.add("a.*", "x")
  expect([router.has(route), router.has("a.*"), router.has("a.*", "x")]).toEqual([true, true, true])
  expect([router.has("a.b"), router.has("a"), router.has("a.*", "y")]).toEqual([false, false, false])
  router.remove(route)
  expect([router.has(route), router.has("a.*")]).toEqual([false, false])
})

test("merge adds copies in their order, also of itself", () => {
  const router = routerOf("a.b")
  const other = createRouter<string>()
  other.add("a.b", "theirs", { priority: 3, when: () => true })
  const [added] = router.merge(other)
  expect(added).toMatchObject({ target: "theirs", priority: 3 })
  expect(router.route(signalOf("a.b"))).toEqual(["theirs", "a.b"])
  other.remove("a.b")
  expect(router.size).toBe(2)
  expect(router.merge(router)).toHaveLength(2)
  expect(router.size).toBe(4)
})

test("filter makes another router", () => {
  const router = routerOf("a.b", "c.d", "a.*")
  const kept = router.filter(({ pattern }) => pattern.startsWith("a."))
  kept.add("a.b", "late")
  expect(kept.route(signalOf("a.b"))).toEqual(["a.b", "late", "a.*"])
  expect(router.size).toBe(3)
})

describe("guards", () => {
  test("are asked for each signal, also of a type seen before", () => {
    const router = createRouter<string>()
    router.add("reading", "alert", { when: ({ data }) => Number(data) > 85 })
    expect([90, 20, 86].map((value) => router.route(signalOf("reading", value)))).toEqual([["alert"], [], ["alert"]])
  })

  test("that throw or return no boolean count as no match and are reported", () => {
    const reported: string[] = []
    const router = createRouter<string>({
      onGuardError: (error, { target }) => reported.push(`${target}: ${String(error)}`),
    })
    router.add("a", "broken", { when: fail })
    // As a caller without types may.
    router.add("a", "async", { when: (async () => true) as unknown as () => boolean })
    router.add("a", "fine", { when: () => true })
    expect(router.route(signalOf("a"))).toEqual(["fine"])
    expect(reported).toEqual(["broken: Error: broken", expect.stringMatching(/^async: .*true or false.*"a"/)])
  })

  test.each([
    ["throws", { onGuardError: fail }],
    ["rejects", { onGuardError: async () => fail() }],
    ["is missing", {}],
  ])("break nothing when the listener %s", (_, options) => {
    const router = createRouter<string>(options)
    router.add("a", "broken", { when: fail })
    router.add("a", "fine")
    expect(router.route(signalOf("a"))).toEqual(["fine"])
  })

  test("may add and remove routes, which counts from the next call", () => {
    const router = createRouter<string>()
    router.add("a", "changes", {
      priority: 1,
      when: () => {
        router.remove("a", "old")
        router.add("a", "new")
        return true
      },
    })
    router.add("a", "old")
    expect(router.route(signalOf("a"))).toEqual(["changes", "old"])
    expect(router.route(signalOf("a"))).toEqual(["changes", "new"])
  })

  test("may route themselves", () => {
    const router = createRouter<string>()
    router.add("a.**", "outer", { when: () => router.route(signalOf("b.c")).length === 1 })
    router.add("b.**", "inner")
    expect(router.route(signalOf("a.x"))).toEqual(["outer"])
  })
})

test("the list of targets is the caller's own", () => {
  const router = routerOf("a")
  router.route(signalOf("a")).push("mine")
  expect(router.route(signalOf("a"))).toEqual(["a"])
})

test.each([-1, 1.5, Number.NaN])("a cache size of %s is refused", (cacheSize) => {
  expect(() => createRouter({ cacheSize })).toThrow(expect.objectContaining({ code: "config_invalid" }))
})
