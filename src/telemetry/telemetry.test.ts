import { readFileSync } from "node:fs"
import { describe, expect, test, vi } from "vitest"
import { metricTable } from "./metric-table.ts"
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

describe("the reference page names", () => {
  const page = readFileSync(new URL("../../docs/reference/telemetry.md", import.meta.url), "utf8")

  /** The rows of the table in a chapter, cells without spaces around. */
  function rowsOf(chapter: string, table = 0): readonly (readonly string[])[] {
    const text = page.split(/^## /m).find((it) => it.startsWith(chapter)) ?? ""
    const [, body = ""] = text.split(/^(?:\| -+ )+\|$/m).slice(table)
    const rows = body.trim().split("\n\n")[0] ?? ""
    return rows.split("\n").map((row) =>
      row
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
  }

  /** The names and fields of an interface in a source file. */
  function namesIn(file: string): readonly (readonly string[])[] {
    const source = readFileSync(new URL(file, import.meta.url), "utf8")
    const found = [...source.matchAll(/^ {2}"?([a-z._]+)"?: \{([^}]*)\}/gm)].map(([, name = "", body = ""]) => {
      return [name, [...body.matchAll(/readonly (\w+\??):/g)].map(([, field]) => field).join(", ")]
    })
    expect(found.length).toBeGreaterThan(5)
    return found
  }

  test.each([
    ["Events", "events.ts"],
    ["Steps", "spans.ts"],
  ])("in %s every name and field", (chapter, file) => {
    const rows = rowsOf(chapter).map(([name = "", , fields]) => [name.replaceAll("`", ""), fields])
    expect(rows).toEqual(namesIn(file))
  })

  test("every metric with its kind, labels and meaning", () => {
    const metrics = Object.entries(metricTable).map(([name, { kind, labels, help, ...more }]) => {
      const all = [...labels, ...("byTenant" in more ? ["(tenant)"] : [])]
      return [`\`fleetprompt_${name}\``, kind, all.join(", "), help]
    })
    expect(rowsOf("Metrics", 1)).toEqual(metrics)
  })
})
