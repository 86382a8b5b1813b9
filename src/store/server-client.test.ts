import { createServer } from "node:net"
import { expect, onTestFinished, test } from "vitest"
import { openServerDatabase } from "./server-database.ts"
import { HotConnections } from "./server-hot.ts"

/** A server that greets each client, and ends the connection in the same breath, as one does that is being stopped. */
async function greetAndLeave(): Promise<string> {
  const listener = createServer((socket) => {
    socket.on("error", () => {})
    socket.once("data", () => socket.write(Buffer.concat([AUTHENTICATED, READY, ENDED])))
  })
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve))
  onTestFinished(() => void listener.close())
  const address = listener.address()
  return `postgres://user:secret@127.0.0.1:${typeof address === "object" ? address?.port : ""}/name`
}

function message(type: string, body: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length + 4)
  return Buffer.concat([Buffer.from(type), length, body])
}

const AUTHENTICATED = message("R", Buffer.alloc(4))
const READY = message("Z", Buffer.from("I"))
const ENDED = message("E", Buffer.from("SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0"))

test("a connection that is ended as soon as it is made fails with a code that says to try again", async () => {
  const connectionString = await greetAndLeave()
  const code = expect.stringMatching(/^database_(connection_lost|unreachable)$/)
  await expect(openServerDatabase({ connectionString })).rejects.toMatchObject({ code })
  const limits = { maxConnections: 1, statementTimeoutMs: 10_000, turnTimeoutMs: 10_000 }
  const hot = new HotConnections({ connectionString, applicationName: "hot", isPooled: false, ...limits })
  onTestFinished(() => hot.close())
  await expect(hot.query("select 1")).rejects.toMatchObject({ code })
})
