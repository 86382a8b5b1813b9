import { once } from "node:events"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import type { JsonValue } from "fleetprompt"
import { FakeRules, type FakeRule } from "./fake-rules.ts"

/** What a fake was asked. */
export interface FakeRequest {
  readonly method: string
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  /** Null when there was none. */
  readonly body: JsonValue
  /** The bearer token; null when there was none. */
  readonly token: string | null
}

/** What it answers. */
export interface FakeAnswer {
  /** Default 200. */
  readonly status?: number
  readonly body: JsonValue
}

/** A system outside that is only played. */
export interface FakeSystem {
  readonly name: string
  /** Undefined: there is nothing at that path. */
  readonly answer: (request: FakeRequest) => FakeAnswer | undefined
}

/** A system outside that is played by a real HTTP server on this machine. */
export interface FakeServer {
  readonly url: string
  /** From now on it behaves so; over HTTP: `POST /_rules`. */
  readonly tell: (rule: FakeRule) => void
  /** What it was asked, `GET /_seen`, without tokens. */
  readonly seen: () => readonly Omit<FakeRequest, "token">[]
  /** How many requests it had at the same time at most. */
  readonly mostAtOnce: () => number
  readonly close: () => Promise<void>
}

/** Starts a fake. It listens on this machine alone. */
export async function startFake(system: FakeSystem, port = 0): Promise<FakeServer> {
  const rules = new FakeRules()
  const seen: Omit<FakeRequest, "token">[] = []
  let [open, most] = [0, 0]
  const server = createServer((incoming, response) => {
    const answer = async (request: FakeRequest): Promise<void> => {
      if (request.path.startsWith("/_")) return sendControl(request, response, { rules, seen, most })
      const { token: _, ...told } = request
      seen.push(told)
      open += 1
      most = Math.max(most, open)
      response.once("close", () => (open -= 1))
      await play(system, request, response, rules)
    }
    // What cannot be read is left without an answer.
    readRequest(incoming).then(answer, () => response.destroy())
  })
  server.listen(port, "127.0.0.1")
  await once(server, "listening")
  // A server that listens on TCP has an address object.
  const address = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${address.port}`,
    tell: (rule) => rules.add(rule),
    seen: () => seen,
    mostAtOnce: () => most,
    close: () => close(server),
  }
}

async function play(system: FakeSystem, request: FakeRequest, response: ServerResponse, rules: FakeRules) {
  const verdict = await rules.apply(request)
  if (verdict.kind === "refuse") return send(response, verdict.status, { message: "refused" }, verdict.retryAfterS)
  const { status = 200, body } = system.answer(request) ?? { status: 404, body: { message: "Not Found" } }
  // What it was asked to do is done; only nobody hears of it.
  if (verdict.kind === "lose-answer") return void response.destroy()
  send(response, status, body)
}

/** Lets a fake that runs as a process of its own be told, and asked, from outside. */
function sendControl(
  { method, path, body }: FakeRequest,
  response: ServerResponse,
  { rules, seen, most }: { readonly rules: FakeRules; readonly seen: readonly unknown[]; readonly most: number },
): void {
  // Only tests and people at this machine talk to it.
  if (path === "/_rules" && method === "POST") rules.add(body as unknown as FakeRule)
  const answer = path === "/_seen" ? { requests: seen, mostAtOnce: most } : {}
  send(response, 200, JSON.parse(JSON.stringify(answer)) as JsonValue)
}

function send(response: ServerResponse, status: number, body: JsonValue, retryAfterS?: number): void {
  const wait = retryAfterS === undefined ? {} : { "retry-after": String(retryAfterS) }
  response.writeHead(status, { "content-type": "application/json", ...wait }).end(JSON.stringify(body))
}

async function readRequest(incoming: IncomingMessage): Promise<FakeRequest> {
  const chunks: Buffer[] = []
  // An IncomingMessage without an encoding gives buffers.
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString()
  const { pathname, searchParams } = new URL(incoming.url ?? "/", "http://fake")
  const token = /^Bearer (.+)$/.exec(incoming.headers.authorization ?? "")?.[1] ?? null
  return {
    method: incoming.method ?? "GET",
    path: pathname,
    query: Object.fromEntries(searchParams),
    body: text === "" ? null : (JSON.parse(text) as JsonValue),
    token,
  }
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections()
  server.close()
  await once(server, "close")
}
