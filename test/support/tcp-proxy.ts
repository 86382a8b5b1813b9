import { connect, createServer, type Socket } from "node:net"

/** Stands between a client and a server, to break the line in the ways a network does. */
export interface TcpProxy {
  /** Where to connect instead of to the server. */
  readonly port: number
  /** How many connections go through it. */
  readonly connections: () => number
  /** Lets nothing through any more, without anybody being told: a black hole. */
  readonly swallow: () => void
  /** Lets new connections through again; what was swallowed stays lost. */
  readonly recover: () => void
  /** Breaks all connections at once. */
  readonly cut: () => void
  /** Breaks a connection as soon as the client sends these bytes, after the server got them. */
  readonly cutAfter: (text: string) => void
  readonly close: () => Promise<void>
}

interface Pair {
  readonly client: Socket
  readonly server: Socket
}

/** Starts a proxy for a server on this machine. */
export async function startTcpProxy(serverPort: number): Promise<TcpProxy> {
  const pairs = new Set<Pair>()
  let isSwallowing = false
  let fatalText: string | undefined

  function join(pair: Pair): void {
    pairs.add(pair)
    for (const [from, to] of [
      [pair.client, pair.server],
      [pair.server, pair.client],
    ] as const) {
      from.on("error", () => {})
      from.on("close", () => {
        to.destroy()
        pairs.delete(pair)
      })
    }
    pair.server.on("data", (bytes) => pair.client.write(bytes))
    pair.client.on("data", (bytes) => {
      pair.server.write(bytes)
      if (fatalText !== undefined && bytes.includes(fatalText)) {
        fatalText = undefined
        // The server shall have it, but its answer shall never arrive.
        pair.server.removeAllListeners("data").once("data", () => pair.client.destroy())
      }
    })
  }

  const listener = createServer((client) => {
    if (isSwallowing) {
      client.on("error", () => {})
      return
    }
    join({ client, server: connect(serverPort, "127.0.0.1") })
  })
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve))
  const address = listener.address()
  if (address === null || typeof address === "string") throw new Error("expected a TCP port")

  const cut = (): void => {
    for (const { client, server } of pairs) {
      client.destroy()
      server.destroy()
    }
  }
  return {
    port: address.port,
    connections: () => pairs.size,
    swallow: () => {
      isSwallowing = true
      for (const socket of [...pairs].flatMap(({ client, server }) => [client, server])) {
        socket.removeAllListeners("data").on("data", () => {})
      }
    },
    recover: () => {
      isSwallowing = false
    },
    cut,
    cutAfter: (text) => {
      fatalText = text
    },
    close: async () => {
      cut()
      await new Promise((resolve) => listener.close(resolve))
    },
  }
}
