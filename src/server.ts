/** The door for HTTP: a handler of web-standard requests, and a server to run it alone. */
export { createFetchHandler, type FetchHandler, type FetchHandlerOptions } from "./server/fetch-handler.ts"
export type { MetricsSource } from "./server/metrics-routes.ts"
export type { Authenticate, Principal } from "./server/principal.ts"
export { type RunningServer, serve, type ServeOptions } from "./server/serve.ts"
