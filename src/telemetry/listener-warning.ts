/**
 * Calls a listener. One that throws, at once or later, is reported as a process warning and harms nobody.
 *
 * @returns what it returned; undefined when it threw.
 */
export function callListener<Result>(name: string, call: () => Result): Result | undefined {
  try {
    const returned = call()
    if (returned instanceof Promise) returned.catch((error: unknown) => warn(name, error))
    return returned
  } catch (error) {
    warn(name, error)
    return undefined
  }
}

function warn(name: string, error: unknown): void {
  process.emitWarning(`a telemetry listener threw on ${name}: ${printed(error)}`, "FleetPromptWarning")
}

/** Some values cannot be made a text. */
function printed(error: unknown): string {
  try {
    return String(error)
  } catch {
    return typeof error
  }
}
