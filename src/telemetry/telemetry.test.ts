import { readFileSync } from "node:fs"
import { expect, test, vi } from "vitest"
import { Telemetry } from "./telemetry.ts"

const fields = { worker: "w", count: 1, durationMs: 2 }

test("every listener is told, until it ends", () => {
  const telemetry = new Telemetry()
  const heard: unknown[] = []
  const end = telemetry.listen((name, told) => heard.push([name, told]))
  telemetry.tell("delivery.claimed", fields)
  end()
  telemetry.tell("delivery.claimed", fields)
  expect(heard).toEqual([["delivery.claimed", fields]])
})

test("a listener that throws harms nobody and is reported", () => {
  const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => {})
  const telemetry = new Telemetry()
  let heard = 0
  telemetry.listen(() => {
    throw new Error("mine")
  })
  telemetry.listen(() => heard++)
  telemetry.tell("delivery.claimed", fields)
  expect(heard).toBe(1)
  expect(warn).toHaveBeenCalledWith(expect.stringContaining("mine"), "FleetPromptWarning")
  warn.mockRestore()
})

test("the reference page names every event and its fields", () => {
  const source = readFileSync(new URL("events.ts", import.meta.url), "utf8")
  const page = readFileSync(new URL("../../docs/reference/telemetry.md", import.meta.url), "utf8")
  const events = [...source.matchAll(/"([a-z]+\.[a-z_]+)": \{([^}]*)\}/g)].map(([, name = "", body = ""]) => {
    return `\`${name}\` ${[...body.matchAll(/readonly (\w+):/g)].map(([, field]) => field).join(", ")}`
  })
  const rows = [...page.matchAll(/^\| (`[a-z._]+`)\s*\|[^|]*\|([^|]*)\|$/gm)].map(
    ([, name, told = ""]) => `${name} ${told.trim()}`,
  )
  expect(events.length).toBeGreaterThan(5)
  expect(rows).toEqual(events)
})
