import { inspect } from "node:util"
import { onTestFinished, vi } from "vitest"
import type { Fleet } from "../../src/fleet.ts"
import { logTo } from "../../src/telemetry/log-to.ts"
import { prometheusMetrics } from "../../src/telemetry/prometheus.ts"
import type { Planted, Told } from "./scan.ts"

/** All that a run tells anybody, and the secrets that came up in it. */
export interface Recording {
  /** Further secrets, made by the fleet itself. */
  readonly made: Planted[]
  readonly told: Told[]
  readonly tell: (where: string, ...values: readonly unknown[]) => void
}

/** An empty one. */
export function newRecording(): Recording {
  const told: Told[] = []
  const tell: Recording["tell"] = (where, ...values) => {
    const text = values.map((value) =>
      typeof value === "string"
        ? value
        : inspect(value, { depth: 20, showHidden: true, maxStringLength: null, maxArrayLength: null }),
    )
    told.push({ where, text: text.join(" ") })
  }
  return { made: [], told, tell }
}

/** All that goes to the terminal, and Node's own warnings, until the test ends. */
export function captureConsole({ tell }: Recording): void {
  for (const stream of ["stdout", "stderr"] as const) {
    const spy = vi.spyOn(process[stream], "write").mockImplementation((chunk) => {
      tell(`process.${stream}`, String(chunk))
      return true
    })
    onTestFinished(() => spy.mockRestore())
  }
  for (const method of ["log", "info", "warn", "error", "debug"] as const) {
    const spy = vi
      .spyOn(console, method)
      .mockImplementation((...line: readonly unknown[]) => tell("the console", ...line))
    onTestFinished(() => spy.mockRestore())
  }
  const onWarning = (warning: Error): void => tell("a process warning", warning)
  process.on("warning", onWarning)
  onTestFinished(() => void process.off("warning", onWarning))
}

/** What a listener of each kind gets. */
export function listenToAll(fleet: Fleet, { tell }: Recording): ReturnType<typeof prometheusMetrics> {
  const log = (...line: readonly unknown[]): void => tell("a log", ...line)
  fleet.telemetry.listen(logTo({ debug: log, info: log, warn: log, error: log }))
  fleet.telemetry.listen((...event) => tell("telemetry", ...event))
  fleet.telemetry.listen({
    start: (span) => tell("a span", span),
    stop: (span, ms) => tell("a span", span, ms),
    error: (span, ms, error) => tell("a span", span, ms, error),
  })
  fleet.onCommit({ onCommit: (news) => tell("news", news), onGap: () => {} })
  return prometheusMetrics(fleet)
}
