/** The door for callers of the HTTP API: a typed client for Node.js and browsers. */
export {
  type CallAnswer,
  type CallInput,
  type CallOptions,
  type Client,
  type ClientOptions,
  type ClientReading,
  createClient,
  type LiveOptions,
} from "./client/client.ts"
export type { LiveEvent } from "./client/live-events.ts"
export type * from "./client/operations.ts"
