import { expect, test } from "vitest"
import { z } from "zod"
import { onData } from "./on-data.ts"

const seen: string[] = []
const run = onData(z.object({ name: z.string() }), async ({ name }) => void seen.push(name))

test("data that fits is worked on", async () => {
  expect(await run({ signal: { data: { name: "Ada" } } })).toBeUndefined()
  expect(seen.splice(0)).toEqual(["Ada"])
})

test("other data ends the delivery, and the reason names the place alone", async () => {
  const reason = "expected data that this handler can work on, got something else at "
  const cancelled = (where: string) => ({ kind: "cancel", reason: `${reason}${where}` })
  expect(await run({ signal: { data: { name: { first: "hunter2" } } } })).toEqual(cancelled("data.name (invalid_type)"))
  expect(await run({ signal: { data: "hunter2" } })).toEqual(cancelled("data (invalid_type)"))
  expect(seen).toEqual([])
})
