/** The signal library: works without Postgres and has no dependency. */
export { type ErrorCode, FleetPromptError, isFleetPromptError } from "./errors.ts"
export { newId } from "./signal/id.ts"
export type { JsonObject, JsonValue } from "./signal/json.ts"
export { type CompiledPattern, compilePattern, matches } from "./signal/pattern.ts"
export { createSignal, isSignal, parseSignal, type Signal, type SignalInput } from "./signal/signal.ts"
export type { SignalMetadata, StoredSignal, Visibility } from "./signal/stored-signal.ts"
