import type { Fleet } from "../fleet.ts"
import type { Terminal } from "./terminal.ts"

/** Prints what goes wrong in a fleet and does not come back to a caller. */
export function logTrouble(fleet: Pick<Fleet, "telemetry">, terminal: Terminal): void {
  fleet.telemetry.listen((name, fields) => {
    if (name === "background.failed" && "step" in fields && "error" in fields)
      terminal.line(`! ${fields.step} failed, will be tried again: ${String(fields.error)}`)
    if (name === "database.risk" && "risk" in fields)
      terminal.line(`! ${fields.setting} = ${fields.value}: ${fields.risk}`)
    if (name === "delivery.settled" && "outcome" in fields && fields.outcome === "dead") {
      terminal.line(
        `! ${fields.handler} gave up on ${fields.signalId} after ${fields.attempt} attempts: ${String(fields.error)}`,
      )
    }
  })
}

/**
 * Counts how attempts end.
 *
 * @returns a function that tells the counts since it was last called, such as `12 done, 1 failed`, and begins anew.
 */
export function countAttempts(fleet: Pick<Fleet, "telemetry">): () => string {
  const counts = new Map<string, number>()
  fleet.telemetry.listen((name, fields) => {
    if (name !== "delivery.settled" || !("outcome" in fields)) return
    counts.set(fields.outcome, (counts.get(fields.outcome) ?? 0) + 1)
  })
  return () => {
    const text = [...counts].map(([outcome, count]) => `${count} ${outcome}`).join(", ")
    counts.clear()
    return text === "" ? "nothing to do" : text
  }
}
