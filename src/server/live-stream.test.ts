import { expect, test } from "vitest"
import { LiveStream } from "./live-stream.ts"

function open(
  maxBehind: number,
  maxBehindBytes = 100_000,
): { readonly stream: LiveStream; readonly ended: () => number } {
  let ends = 0
  const stream = new LiveStream({ maxBehind, maxBehindBytes, heartbeatMs: 60_000, onEnd: () => void ends++ })
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

test.each([
  ["too many texts", 4, 100_000, 1],
  ["too many bytes", 1_000, 4_000, 1_000],
])("a reader that is %s behind is cut off, and what it was owed is let go", async (_, texts, bytes, length) => {
  const { stream, ended } = open(texts, bytes)
  const reader = stream.body.getReader()
  expect(new TextDecoder().decode((await reader.read()).value)).toBe(": connected\n\n")
  for (let n = 0; n < 3; n++) stream.send("x".repeat(length))
  expect(ended()).toBe(0)
  stream.send("x".repeat(length))
  stream.send("x".repeat(length))
  expect(ended()).toBe(1)
  // An end in order would wait until the reader has read it all.
  await expect(reader.read()).rejects.toThrow("too far behind")
})

test("one text that is longer than a reader may be behind is sent to one that has read all", async () => {
  const { stream, ended } = open(4, 1_000)
  const reader = stream.body.getReader()
  await reader.read()
  stream.send("x".repeat(5_000))
  expect((await reader.read()).value).toHaveLength(5_000)
  stream.send("more")
  expect((await reader.read()).value).toHaveLength(4)
  expect(ended()).toBe(0)
})

test("a reader that goes is noticed once, and nothing fails after", async () => {
  const { stream, ended } = open(4)
  await stream.body.cancel()
  stream.send("late")
  stream.end()
  expect(ended()).toBe(1)
})
