import fc from "fast-check"
import { expect, test } from "vitest"
import { createRouter, type Route, type Router } from "./router.ts"
import { createSignal } from "../signal.ts"

/** What a router should be: a list that is searched and sorted anew each time. */
interface Model {
  routes: Route<number>[]
}

type Segments = readonly string[]

/** The definition itself: try every length for each `**`. */
function fits([first, ...rest]: Segments, type: Segments): boolean {
  if (first === undefined) return type.length === 0
  if (first === "**") return type.some((_, skip) => fits(rest, type.slice(skip))) || fits(rest, [])
  return type.length > 0 && (first === "*" || first === type[0]) && fits(rest, type.slice(1))
}

/** Name before `*` before the end before `**`, where the patterns first differ in this. */
function compareSpecificity(a: Segments, b: Segments): number {
  for (let at = 0; at <= a.length; at++) {
    const difference = kindOf(a[at]) - kindOf(b[at])
    if (difference !== 0) return difference
  }
  return 0
}

function kindOf(segment: string | undefined): number {
  if (segment === undefined) return 2
  return segment === "*" ? 1 : segment === "**" ? 3 : 0
}

function expectedTargets({ routes }: Model, type: string): readonly number[] {
  return routes
    .map((route) => ({ ...route, segments: route.pattern.split(".") }))
    .filter(({ segments }) => fits(segments, type.split(".")))
    .toSorted((a, b) => b.priority - a.priority || compareSpecificity(a.segments, b.segments))
    .map(({ target }) => target)
}

function isValid(segments: Segments): boolean {
  return !segments.some((segment, at) => segment === "**" && segments[at - 1] === "**")
}

/** All lists of 1 to `length` of these words. */
function lists(words: Segments, length: number): readonly Segments[] {
  if (length === 0) return []
  return [...words.map((word) => [word]), ...lists(words, length - 1).flatMap((list) => words.map((w) => [...list, w]))]
}

const patterns = lists(["a", "b", "*", "**"], 4)
  .filter(isValid)
  .map((segments) => segments.join("."))
const signals = lists(["a", "b"], 4).map((segments) => createSignal({ type: segments.join("."), source: "/test" }))

test.each([0, undefined])("every short pattern finds what it should, with a cache of %s", (cacheSize) => {
  const router = createRouter<number>(cacheSize === undefined ? {} : { cacheSize })
  const model = { routes: patterns.map((pattern, index) => router.add(pattern, index)) }
  expect(patterns.length * signals.length).toBe(8_760)
  for (const signal of signals) {
    const wanted = expectedTargets(model, signal.type)
    expect(router.route(signal)).toEqual(wanted)
    expect(router.route(signal)).toEqual(wanted)
  }
})

function command(name: string, run: (model: Model, router: Router<number>) => void): fc.Command<Model, Router<number>> {
  return { check: () => true, run, toString: () => name }
}

const pattern = fc.constantFrom(...patterns)
const target = fc.nat(3)
const add = fc.tuple(pattern, target, fc.constantFrom(-100, 0, 0, 0, 7, 100)).map(([text, to, priority]) =>
  command(`add ${text} ${to} ${priority}`, (model, router) => {
    model.routes.push(router.add(text, to, { priority }))
  }),
)
const removeRoute = fc.nat().map((seed) =>
  command(`remove route ${seed}`, (model, router) => {
    const [gone] = model.routes.splice(seed % Math.max(1, model.routes.length), 1)
    if (gone) expect(router.remove(gone)).toBe(1)
  }),
)
const removePattern = fc.tuple(pattern, fc.option(target, { nil: undefined })).map(([text, to]) =>
  command(`remove ${text} ${to}`, (model, router) => {
    const kept = model.routes.filter((route) => route.pattern !== text || (to !== undefined && route.target !== to))
    expect(router.remove(text, to)).toBe(model.routes.length - kept.length)
    model.routes = kept
  }),
)
const ask = fc.constantFrom(...signals).map((signal) =>
  command(`route ${signal.type}`, (model, router) => {
    expect(router.route(signal)).toEqual(expectedTargets(model, signal.type))
    expect(router.list()).toEqual(model.routes)
    expect(router.size).toBe(model.routes.length)
  }),
)

test("whatever is added and removed, the router agrees with a search and a stable sort", () => {
  fc.assert(
    fc.property(
      fc.commands([add, add, add, removeRoute, removePattern, ask, ask], { maxCommands: 60 }),
      // A small cache drops what it holds again and again.
      fc.constantFrom(0, 10, 16_384),
      (commands, cacheSize) =>
        fc.modelRun(() => ({ model: { routes: [] }, real: createRouter<number>({ cacheSize }) }), commands),
    ),
    { numRuns: 2_000 },
  )
})

test("what was added and removed leaves nothing behind", () => {
  fc.assert(
    fc.property(fc.array(pattern, { minLength: 1, maxLength: 20 }), (texts) => {
      const router = createRouter<number>()
      const routes = texts.map((text, index) => router.add(text, index))
      for (const route of routes) router.remove(route)
      expect(signals.flatMap((signal) => router.route(signal))).toEqual([])
      expect(texts.some((text) => router.has(text))).toBe(false)
    }),
  )
})
