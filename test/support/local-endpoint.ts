import { once } from "node:events"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

/** A request as the endpoint got it. */
export interface ReceivedRequest {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage["headers"]
  readonly body: string
}

/** How an endpoint answers. `count` is 1 for the first request. */
export type Answer = (response: ServerResponse, request: ReceivedRequest, count: number) => void

/** A real HTTP server on this machine. */
export interface LocalEndpoint {
  readonly url: string
  readonly received: readonly ReceivedRequest[]
  /** Resolves when so many requests have come. */
  readonly arrived: (count: number) => Promise<void>
  /** How many connections were ever made. */
  readonly connections: () => number
  readonly close: () => Promise<void>
}

/** Starts a server that answers as told; by default 204. */
export async function startEndpoint(
  answer: Answer = (response) => response.writeHead(204).end(),
): Promise<LocalEndpoint> {
  const received: ReceivedRequest[] = []
  const watchers = new Set<() => void>()
  const server = createServer((request, response) => {
    void readBody(request).then((body) => {
      const { method = "", url = "", headers } = request
      const count = received.push({ method, url, headers, body })
      for (const watch of watchers) watch()
      answer(response, { method, url, headers, body }, count)
    })
  })
  let connections = 0
  server.on("connection", () => connections++)
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  // A server that listens on TCP has an address object.
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/in`,
    received,
    arrived: (count) =>
      new Promise((resolve) => {
        const watch = () => {
          if (received.length >= count) resolve()
        }
        watchers.add(watch)
        watch()
      }),
    connections: () => connections,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, "close")
    },
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  // An IncomingMessage without an encoding gives buffers.
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}
