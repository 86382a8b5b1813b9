import { expect, test } from "vitest"
import { soakSections } from "./report-soak.ts"
import { tableOf } from "./report.ts"
import type { Result } from "./scenario.ts"

const held: Result = {
  scenario: "P1",
  title: "kill a | b",
  held: true,
  invariants: ["I1", "I3"],
  figures: { takeoverMs: 12_345, note: null, isFast: true },
  seconds: 1.25,
}

test("results are a table, with what did not hold below it", () => {
  const broken: Result = { ...held, scenario: "D2", held: false, figures: {}, error: "2 violations:\nI1: one\nI3: two" }
  expect(tableOf([held, broken]).split("\n")).toEqual([
    "| scenario | what | held | checked | figures | seconds |",
    "| --- | --- | --- | --- | --- | --- |",
    "| P1 | kill a \\| b | yes | I1 I3 | takeoverMs 12,345, note , isFast true | 1.3 |",
    "| D2 | kill a \\| b | **no** | I1 I3 |  | 1.3 |",
    "",
    "## Did not hold",
    "",
    "- D2: 2 violations:",
    "  I1: one",
    "  I3: two",
  ])
  expect(tableOf([held])).not.toContain("Did not hold")
})

const sample = {
  minute: 1,
  signals: 20_000,
  deliveries: 12,
  deadTuples: 300,
  queueMb: 4,
  signalsMb: 50,
  attemptsMb: 20,
  memoryMb: [101, null],
}

test("a soak's figures, faults and samples come in sections of their own", () => {
  const details = {
    figures: { signals: 20_000, takeoverP50Ms: 12_000 },
    members: ["worker 1", "emitter"],
    samples: [sample],
    faults: { rare: 1, often: 7 },
  }
  const text = soakSections({ ...held, scenario: "SOAK", seconds: 3_720 }, details).join("\n")
  expect(text).toContain("The soak held I1, I3, in 62 minutes with drain and check.")
  expect(text).toMatch(/\| takeoverP50Ms \| 12,000 \| from kill -9 of a worker/)
  expect(text).toMatch(/\| often \| 7 \|\n\| rare \| 1 \|/)
  expect(text).toContain("| 1 | 20,000 | 12 | 300 | 4 | 50 | 20 | 101 | - |")
})

test("one that did not get there says so, and without a soak there is nothing", () => {
  expect(soakSections({ ...held, held: false }, undefined).join("\n")).toContain("did **not** hold")
  expect(soakSections(undefined, undefined)).toEqual([])
})
