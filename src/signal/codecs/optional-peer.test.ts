import { expect, test } from "vitest"
import { loadPeer } from "./optional-peer.ts"

test("a package that is there is returned", async () => {
  expect(await loadPeer("it", async () => ({ name: "it" }))).toEqual({ name: "it" })
})

test("the error for a missing package says which to install", async () => {
  const cause = new Error("Cannot find package")
  await expect(loadPeer("@msgpack/msgpack", () => Promise.reject(cause))).rejects.toMatchObject({
    code: "peer_missing",
    message: expect.stringContaining("npm install @msgpack/msgpack"),
    cause,
  })
})
