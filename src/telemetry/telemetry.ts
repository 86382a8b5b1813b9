import type { TelemetryEvents, TelemetryListener, TelemetryName } from "./events.ts"

/** Where the steps tell what they do, and listeners hear it. The core itself never logs. */
export class Telemetry {
  readonly #listeners = new Set<TelemetryListener>()

  /** Hears every event until the returned function is called. */
  listen(listener: TelemetryListener): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Tells all listeners. One that throws is reported as a process warning and harms nobody. */
  tell<Name extends TelemetryName>(name: Name, fields: TelemetryEvents[Name]): void {
    for (const listener of this.#listeners) {
      try {
        listener(name, fields)
      } catch (error) {
        process.emitWarning(`a telemetry listener threw on ${name}: ${String(error)}`, "FleetPromptWarning")
      }
    }
  }
}
