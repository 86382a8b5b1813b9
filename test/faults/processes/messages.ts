import type { JsonObject, JsonValue } from "../../../src/signal/json.ts"
import type { Flood, FloodCounts } from "../flood.ts"
import type { HandlerSetRef } from "../handlers/load.ts"
import type { Load, LoadCounts } from "../load.ts"
import type { EmitRequest } from "../ledger/recorded-emit.ts"
import type { TailRequest } from "../tail.ts"
import type { DeathRule } from "./points.ts"

/** What a fleet's process is told at its start, as JSON in its environment. */
export interface FleetProcessConfig {
  /** Undefined for the embedded database. */
  readonly databaseUrl?: string
  readonly ledgerUrl: string
  readonly handlers: HandlerSetRef
  /** Options of the fleet as JSON holds them: `worker`, `retention`, `maxConnections`, `emitQueue`, `listenUrl` ... */
  readonly fleet: JsonObject
  /** Telemetry events that the driver wants to hear of. */
  readonly events: readonly string[]
  /** Points that are held from the start. */
  readonly hold: readonly string[]
  readonly dieAt: readonly DeathRule[]
  /** Whether names of statements are noted. */
  readonly watchStatements: boolean
  /** How long SIGTERM lets handlers run on, milliseconds. */
  readonly graceMs: number
}

/** The variable of the environment that holds it. */
export const CONFIG_VARIABLE = "FAULTS_CONFIG"

/** Bytes that a process holds: in all, as JavaScript's objects, and as buffers; and the processor time that it took. */
export interface Usage {
  readonly rss: number
  readonly heapUsed: number
  readonly arrayBuffers: number
  readonly cpuMs: number
}

/** What a fleet's process does when it is told to, and what it answers. */
export interface FleetCommands {
  readonly hold: (point: string) => Promise<void>
  readonly release: (point: string) => Promise<void>
  readonly dieAt: (rule: DeathRule) => Promise<void>
  /** Names of the statements so far, with `watchStatements`. */
  readonly statements: () => Promise<readonly string[]>
  readonly health: () => Promise<JsonValue>
  readonly stats: () => Promise<JsonValue>
  /** Bytes and processor time that the process has used. */
  readonly usage: () => Promise<Usage>
  /** Serves over HTTP: who calls is the owner of the tenant that the header `x-tenant` names. Answers with the address. */
  readonly serve: () => Promise<string>
  /** Emits one signal from within the process, with the ledger around it. */
  readonly emit: (order: {
    readonly tenant: string
    readonly request: EmitRequest
  }) => Promise<{ readonly signalId: string; readonly inserted: boolean }>
  /** Floods the fleet, until every call was answered. */
  readonly flood: (order: Flood) => Promise<FloodCounts>
  readonly startLoad: (load: Load) => Promise<void>
  readonly pauseLoad: () => Promise<void>
  readonly resumeLoad: () => Promise<void>
  /** Counts so far. */
  readonly loadCounts: () => Promise<LoadCounts>
  /** Ends the load once calls under way were answered. */
  readonly stopLoad: () => Promise<LoadCounts>
  readonly startTail: (request: TailRequest) => Promise<void>
  /** Stops the fleet and ends the process. */
  readonly stop: (order: { readonly graceMs?: number }) => Promise<void>
}

/** From the driver to the process. */
export interface Request {
  readonly id: number
  readonly name: keyof FleetCommands
  readonly order: unknown
}

/** From the process to the driver. */
export type Message =
  | { readonly kind: "ready"; readonly workerName: string }
  | { readonly kind: "answer"; readonly id: number; readonly result?: unknown; readonly error?: string }
  | { readonly kind: "event"; readonly name: string; readonly fields: JsonObject }
  | { readonly kind: "point"; readonly point: string; readonly about: JsonObject }
