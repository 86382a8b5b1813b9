import { describe, expect, test } from "vitest"
import { plant, scan } from "./scan.ts"

const secret = plant("a password")
const other = plant("another")

describe("the scan finds a planted leak", () => {
  const forms: readonly (readonly [string, string])[] = [
    ["as it is", `x ${secret.text} y`],
    ["a part of it", secret.text.slice(0, 32)],
    ["in JSON", JSON.stringify({ deep: [secret.text] })],
    ["in JSON within JSON", JSON.stringify({ body: JSON.stringify({ deep: secret.text }) })],
    ["in an address", `https://x.example/?a=1&b=${encodeURIComponent(secret.text)}`],
    ["in a form", new URLSearchParams({ a: secret.text }).toString()],
    ["in base64", Buffer.from(secret.text).toString("base64")],
    ["in base64 behind something", Buffer.from(`user:${secret.text}!`).toString("base64")],
    ["in base64url", Buffer.from(`ab${secret.text}`).toString("base64url")],
    ["in hex", Buffer.from(`a${secret.text}`).toString("hex")],
    ["in HEX", Buffer.from(secret.text).toString("hex").toUpperCase()],
    ["in bytes of a dump", `\\\\x${Buffer.from(JSON.stringify({ a: secret.text })).toString("hex")}`],
  ]

  test.each(forms)("%s", (_, text) => {
    const leaks = scan(
      [
        { where: "here", text: "nothing" },
        { where: "there", text },
      ],
      [secret, other],
    )
    expect(leaks.length).toBeGreaterThan(0)
    expect(new Set(leaks.map((leak) => `${leak.secret} ${leak.where}`))).toEqual(new Set(["a password there"]))
  })

  test("and nothing where there is none", () => {
    expect(scan([{ where: "here", text: JSON.stringify(other) }], [secret])).toEqual([])
  })
})
