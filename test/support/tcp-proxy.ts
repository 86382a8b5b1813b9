import { connect, createServer, type Socket } from "node:net"

/** Stands between a client and a server, to break the line in the ways a network does. */
export interface TcpProxy {
  /** Where to connect instead of to the server. */
  readonly port: number
  /** How many connections go through it. */
  readonly connections: () => number
  /** When each connection came that was ever made to it, milliseconds of `performance.now()`. */
  readonly arrivals: () => readonly number[]
  /** Lets nothing through any more, without anybody being told, not even when one side closes: a black hole. */
  readonly swallow: () => void
  /** The same as soon as a client sends these bytes, after the server got them. */
  readonly swallowAfter: (text: string) => void
  /** Whether new connections are swallowed. */
  readonly isSwallowing: () => boolean
  /** Lets new connections through again; what was swallowed stays lost. */
  readonly recover: () => void
  /** Lets new connections wait, as a server does that is too busy to greet. */
  readonly hold: () => void
  /** Greets those that wait, and all that come. */
  readonly letIn: () => void
  /** Leads new connections to another server of this machine; those that are there stay with the old one. */
  readonly leadTo: (serverPort: number) => void
  /** Breaks all connections at once. */
  readonly cut: () => void
  /** Breaks a connection as soon as the client sends these bytes, after the server got them. */
  readonly cutAfter: (text: string) => void
  /** How often `cutAfter` broke a connection. */
  readonly cuts: () => number
  readonly close: () => Promise<void>
}

interface Pair {
  readonly client: Socket
  readonly server: Socket
  /** Whether nothing goes through it any more. */
  isSwallowed: boolean
}

/** Starts a proxy for a server on this machine. */
export async function startTcpProxy(firstServerPort: number): Promise<TcpProxy> {
  const pairs = new Set<Pair>()
  /** Ends of swallowed connections that have no other side. */
  const orphans = new Set<Socket>()
  const arrivals: number[] = []
  let serverPort = firstServerPort
  let isSwallowing = false
  let isHolding = false
  const held = new Set<Socket>()
  let fatalText: string | undefined
  let lastText: string | undefined
  let cuts = 0

  function join(client: Socket): void {
    const pair: Pair = { client, server: connect(serverPort, "127.0.0.1"), isSwallowed: false }
    pairs.add(pair)
    for (const [from, to] of [
      [pair.client, pair.server],
      [pair.server, pair.client],
    ] as const) {
      from.on("error", () => {})
      from.on("close", () => {
        pairs.delete(pair)
        orphans.delete(from)
        if (!pair.isSwallowed) to.destroy()
        else if (!to.destroyed) orphans.add(to)
      })
    }
    pair.server.on("data", (bytes) => pair.client.write(bytes))
    pair.client.on("data", (bytes) => {
      pair.server.write(bytes)
      if (fatalText !== undefined && bytes.includes(fatalText)) {
        fatalText = undefined
        // The server shall have it, but its answer shall never arrive.
        pair.server.removeAllListeners("data").once("data", () => {
          cuts += 1
          pair.client.destroy()
        })
      }
      if (lastText !== undefined && bytes.includes(lastText)) swallow()
    })
  }

  function swallow(): void {
    isSwallowing = true
    lastText = undefined
    for (const pair of pairs) {
      pair.isSwallowed = true
      for (const socket of [pair.client, pair.server]) socket.removeAllListeners("data").on("data", () => {})
    }
  }

  const listener = createServer((client) => {
    arrivals.push(performance.now())
    if (isSwallowing) {
      orphans.add(client.resume())
      client.on("error", () => {})
      client.on("close", () => orphans.delete(client))
      return
    }
    if (!isHolding) return join(client)
    held.add(client.pause())
    client.on("error", () => {})
    client.on("close", () => held.delete(client))
  })
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve))
  const address = listener.address()
  if (address === null || typeof address === "string") throw new Error("expected a TCP port")

  const cut = (): void => {
    for (const socket of [...held, ...orphans]) socket.destroy()
    for (const { client, server } of pairs) {
      client.destroy()
      server.destroy()
    }
  }
  return {
    port: address.port,
    connections: () => pairs.size,
    arrivals: () => [...arrivals],
    swallow,
    swallowAfter: (text) => {
      lastText = text
    },
    isSwallowing: () => isSwallowing,
    hold: () => {
      isHolding = true
    },
    letIn: () => {
      isHolding = false
      for (const client of held) join(client.resume())
      held.clear()
    },
    leadTo: (port) => {
      serverPort = port
    },
    recover: () => {
      isSwallowing = false
    },
    cut,
    cutAfter: (text) => {
      fatalText = text
    },
    cuts: () => cuts,
    close: async () => {
      cut()
      await new Promise((resolve) => listener.close(resolve))
    },
  }
}
