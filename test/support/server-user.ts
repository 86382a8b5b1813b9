import { chown } from "node:fs/promises"
import { createServer } from "node:net"

/** Who runs servers of our own that refuse to be run by root: `nobody`, when we are root. To be spread into spawn's options. */
export const serverUser = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}

/** Makes a file or directory that user's own. */
export async function giveToServerUser(path: string): Promise<void> {
  if (serverUser.uid !== undefined) await chown(path, serverUser.uid, serverUser.gid)
}

/** A port of 127.0.0.1 that nobody uses at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === "string") throw new Error("expected a TCP port")
  return address.port
}
