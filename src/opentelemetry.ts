/** The door for OpenTelemetry: steps as spans, linked from emitter to handler. Needs the package @opentelemetry/api. */
export { openTelemetry, type OpenTelemetryOptions } from "./telemetry/opentelemetry.ts"
