import type { Server } from "node:http"
import { createAdaptorServer } from "@hono/node-server"
import type { FetchHandler } from "./fetch-handler.ts"

/** Where to listen. */
export interface ServeOptions {
  /** Default 127.0.0.1: this machine only. */
  readonly hostname?: string
  /** 0 takes a free one. */
  readonly port: number
}

/** A server that listens. */
export interface RunningServer {
  /** Its address, for example `http://127.0.0.1:4321`. */
  readonly url: string
  /** Stops listening, ends feeds and open connections. */
  readonly close: () => Promise<void>
}

/** Listens with node:http. Rejects with Node's own error, for example EADDRINUSE. */
export async function serve(
  handler: FetchHandler,
  { hostname = "127.0.0.1", port }: ServeOptions,
): Promise<RunningServer> {
  // createAdaptorServer makes an http.Server unless it is told to make another.
  const server = createAdaptorServer({
    fetch: (request, { incoming }) => handler.fetch(request, { remoteAddress: incoming.socket.remoteAddress }),
    hostname,
  }) as Server
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen(port, hostname, resolve)
  })
  const address = server.address()
  const actualPort = typeof address === "object" && address !== null ? address.port : port
  return { url: `http://${hostname}:${actualPort}`, close: () => close(server, handler) }
}

async function close(server: Server, handler: FetchHandler): Promise<void> {
  handler.close()
  const closed = new Promise((resolve) => server.close(resolve))
  server.closeIdleConnections()
  setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS).unref()
  await closed
}

/** How long a request under way may take when the server closes, milliseconds. */
const CLOSE_GRACE_MS = 500
