import { expect, test } from "vitest"
import { LiveStream } from "./live-stream.ts"

function open(maxBehind: number): { readonly stream: LiveStream; readonly ended: () => number } {
  let ends = 0
  const stream = new LiveStream({ maxBehind, heartbeatMs: 60_000, onEnd: () => void ends++ })
  return { stream, ended: () => ends }
}

async function textOf(stream: LiveStream): Promise<string> {
  return new Response(stream.body).text()
}

test("events are sent as the standard writes them", async () => {
  const { stream } = open(10)
  stream.event("signals", [{ a: "line\nbreak" }], "id-1")
  stream.event("reset", {})
  stream.end()
  expect(await textOf(stream)).toBe(
    ': connected\n\nid: id-1\nevent: signals\ndata: [{"a":"line\\nbreak"}]\n\nevent: reset\ndata: {}\n\n',
  )
})

test("a reader that falls behind is cut off, after what it was owed", async () => {
  const { stream, ended } = open(4)
  for (let n = 1; n <= 1_000; n++) stream.send(`${n} `)
  expect(ended()).toBe(1)
  expect(await textOf(stream)).toBe(": connected\n\n1 2 3 ")
})

test("a reader that goes is noticed once, and nothing fails after", async () => {
  const { stream, ended } = open(4)
  await stream.body.cancel()
  stream.send("late")
  stream.end()
  expect(ended()).toBe(1)
})
