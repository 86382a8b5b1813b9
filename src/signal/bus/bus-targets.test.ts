import { expect, test } from "vitest"
import { createBus } from "./bus-in-process.ts"
import { createSignal } from "../signal.ts"

function setUp() {
  const got: string[] = []
  const note = (name: string) => () => void got.push(name)
  const bus = createBus({ dispatches: { audit: note("audit"), "billing-team": [note("billing")] } })
  bus.subscribe("**", note("subscriber"))
  const publish = (dispatch?: string | number) =>
    bus.publish(createSignal({ type: "a.b", source: "/test", ...(dispatch !== undefined && { dispatch }) }))
  return { bus, got, publish }
}

test("a signal goes to the targets it names, besides its subscribers, each once", async () => {
  const { got, publish } = setUp()
  expect(await publish("audit, billing-team,audit")).toMatchObject({ matched: 3, delivered: 3 })
  expect(got).toEqual(["subscriber", "audit", "billing"])
})

test("a signal that names none goes to its subscribers alone", async () => {
  const { got, publish } = setUp()
  await publish()
  expect(got).toEqual(["subscriber"])
})

test.each(["https://evil.example/", "audit,nobody", "audit,", 7])(
  "the name %j is refused, with the signal",
  async (dispatch) => {
    const { bus, got, publish } = setUp()
    await expect(publish(dispatch)).rejects.toMatchObject({ code: "dispatch_invalid", path: "dispatch" })
    expect(got).toEqual([])
    expect((await bus.snapshot()).signals).toEqual([])
  },
)

test("one wrong name among several signals refuses them all", async () => {
  const { bus, got } = setUp()
  const named = (dispatch: string) => createSignal({ type: "a.b", source: "/test", dispatch })
  await expect(bus.publish([named("audit"), named("nobody")])).rejects.toMatchObject({ code: "dispatch_invalid" })
  expect(got).toEqual([])
})

test("a bus without targets does not look at the attribute", async () => {
  const bus = createBus()
  const signal = createSignal({ type: "a.b", source: "/test", dispatch: "https://x.example/" })
  expect(await bus.publish(signal)).toMatchObject({ kind: "published", matched: 0 })
})

test("replay sends nothing to targets", async () => {
  const { bus, got, publish } = setUp()
  await publish("audit")
  await bus.replay()
  expect(got).toEqual(["subscriber", "audit"])
})

test.each([
  [{ "Bad name": () => {} }, /name/],
  [{ fine: { to: "nowhere" } }, /nowhere/],
])("targets that are wrong are refused when the bus is made", (dispatches, message) => {
  expect(() => createBus({ dispatches })).toThrow(
    expect.objectContaining({ code: "dispatch_invalid", message: expect.stringMatching(message) }),
  )
})
