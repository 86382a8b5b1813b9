import fc from "fast-check"
import { expect, test } from "vitest"
import { Fifo } from "./bus-fifo.ts"

test("it is a queue, whatever comes and goes", () => {
  const steps = fc.array(fc.oneof({ weight: 3, arbitrary: fc.nat() }, { weight: 2, arbitrary: fc.constant("shift") }))
  fc.assert(
    fc.property(steps, (list) => {
      const fifo = new Fifo<unknown>()
      const model: unknown[] = []
      for (const step of list) {
        if (step === "shift") expect(fifo.shift()).toBe(model.shift())
        else model.push(fifo.push(step) ?? step)
      }
      expect([fifo.length, fifo.peek(), ...fifo]).toEqual([model.length, model[0], ...model])
    }),
  )
})

test("it holds on to nothing it gave out", () => {
  const fifo = new Fifo<number>()
  for (let n = 0; n < 10_000; n++) fifo.push(n)
  for (let n = 0; n < 9_000; n++) fifo.shift()
  expect([...fifo]).toEqual(Array.from({ length: 1_000 }, (_, n) => 9_000 + n))
  fifo.clear()
  expect([fifo.length, fifo.peek(), fifo.shift()]).toEqual([0, undefined, undefined])
})
