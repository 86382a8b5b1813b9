import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import type { WebhookSource } from "../src/connectors/webhook-source.ts"

/** What a test answers itself; false leaves the answer to the route. */
export type Answering = (request: IncomingMessage, response: ServerResponse) => false | void

/** A server with one webhook route, and what it saw. */
export interface LocalWebhookRoute {
  readonly url: string
  readonly requests: IncomingMessage[]
  /** Type of the stored event by delivery id. */
  readonly stored: Map<string, string>
  readonly close: () => void
}

/** Starts a server on this machine whose route verifies and stores as the real one does, save for what a test answers itself. */
export async function localWebhookRoute(
  source: WebhookSource,
  answering: Answering = () => false,
): Promise<LocalWebhookRoute> {
  const requests: IncomingMessage[] = []
  const stored = new Map<string, string>()
  const server = createServer((request, response) => {
    requests.push(request)
    const chunks: Buffer[] = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      if (answering(request, response) === false)
        answer(response, ...receive(source, request, Buffer.concat(chunks), stored))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  // A server that listens on TCP has an address and port.
  const { port } = server.address() as AddressInfo
  const close = () => {
    server.close()
    server.closeAllConnections()
  }
  return { url: `http://127.0.0.1:${port}/v1/webhooks/${source.name}`, requests, stored, close }
}

function receive(
  source: WebhookSource,
  request: IncomingMessage,
  body: Uint8Array,
  stored: Map<string, string>,
): [status: number, content: object] {
  try {
    const event = source.receive({ headers: new Headers(Object.entries(request.headers).map(headerOf)), body })
    const id = event?.sourceEventId ?? ""
    const inserted = !stored.has(id)
    stored.set(id, event?.type ?? "")
    return [202, { id, inserted }]
  } catch (error) {
    return [401, { detail: String(error) }]
  }
}

function headerOf([name, value]: [string, string | string[] | undefined]): [string, string] {
  return [name, String(value)]
}

/** Answers with JSON. */
export function answer(
  response: ServerResponse,
  status: number,
  content: object,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(content))
}
