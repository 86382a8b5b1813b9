import type { Fleet } from "../../src/fleet.ts"
import type { NewBinding } from "../../src/store/bindings.ts"
import type { TelemetrySpan } from "../../src/telemetry/spans.ts"

/** A binding of the package `triage` to `issue.*`, with what the test says. */
export function binding(more: Partial<NewBinding> = {}): NewBinding {
  return {
    handler: "triage.label",
    installationId: "0198a0b0-0000-7000-8000-000000000001",
    package: "triage",
    version: "1.0.0",
    template: "test.note",
    pattern: "issue.*",
    condition: null,
    params: {},
    config: {},
    credentials: {},
    isEnabled: true,
    ...more,
  }
}

/** Resolves when the fleet has asked which bindings changed, from now on, and taken up the answer. */
export function bindingsRead(fleet: Fleet): Promise<void> {
  const begun = new Set<TelemetrySpan>()
  return new Promise((resolve) => {
    const unlisten = fleet.telemetry.listen({
      steps: ["statement"],
      start: (span) => {
        if (span.name === "statement" && span.fields.statement === "selectBindingChanges") begun.add(span)
      },
      stop: (span) => {
        if (!begun.has(span)) return
        unlisten()
        setImmediate(resolve)
      },
    })
  })
}
