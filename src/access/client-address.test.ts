import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { addressFinder, clientAddressOf, networkOf, noteClientAddress } from "./client-address.ts"

function found(trusted: readonly string[], connection: string | undefined, forwarded?: string): string | undefined {
  const headers = forwarded === undefined ? {} : { "x-forwarded-for": forwarded }
  return addressFinder(trusted)(new Request("http://localhost/", { headers }), connection)
}

describe("the client's address", () => {
  test("is the connection's where no proxy is trusted, whatever the request says", () => {
    expect(found([], "203.0.113.7", "198.51.100.1")).toBe("203.0.113.7")
    expect(found([], undefined, "198.51.100.1")).toBeUndefined()
    expect(found(["10.0.0.0/8"], "203.0.113.7", "198.51.100.1")).toBe("203.0.113.7")
  })

  test("is the last one that no trusted proxy has", () => {
    expect(found(["10.0.0.0/8"], "10.0.0.1", "198.51.100.1")).toBe("198.51.100.1")
    expect(found(["10.0.0.0/8"], "10.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.9")).toBe("198.51.100.1")
    expect(found(["private"], "::1", "6.6.6.6, 2001:db8::1")).toBe("2001:db8::1")
    expect(found(["10.0.0.1"], "10.0.0.1", "10.0.0.2")).toBe("10.0.0.2")
    expect(found(["private"], "10.0.0.1", "10.0.0.2, 10.0.0.3")).toBe("10.0.0.2")
  })

  test("ends where the header is no address: what stands further left, nobody vouches for", () => {
    expect(found(["private"], "10.0.0.1", "198.51.100.1, unknown")).toBe("10.0.0.1")
    expect(found(["private"], "10.0.0.1", "198.51.100.1, unknown, 10.0.0.4")).toBe("10.0.0.4")
    expect(found(["private"], "10.0.0.1", "")).toBe("10.0.0.1")
    expect(found(["private"], "10.0.0.1")).toBe("10.0.0.1")
  })

  test("is written one way: without port, zone, brackets, and IPv4 as itself", () => {
    expect(found([], "::ffff:203.0.113.7")).toBe("203.0.113.7")
    expect(found([], "fe80::1%eth0")).toBe("fe80::1")
    expect(found(["private"], "127.0.0.1", "203.0.113.7:5123")).toBe("203.0.113.7")
    expect(found(["private"], "127.0.0.1", "[2001:DB8::7]:443")).toBe("2001:db8::7")
    expect(found([], "no address")).toBeUndefined()
  })

  test("reads hostile headers in bounded time and never believes the client", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme-ascii" }), (text) => {
        const header = text.replaceAll(/[^\x21-\x7e ]/g, "")
        expect(found(["private"], "10.0.0.1", `${header}, 203.0.113.9`)).toBe("203.0.113.9")
      }),
    )
    expect(found(["private"], "10.0.0.1", `${"10.0.0.2, ".repeat(50_000)}10.0.0.3`)).toBe("10.0.0.2")
  })

  test("needs networks that are some", () => {
    for (const wrong of ["10.0.0.0/33", "10.0.0.0/", "everybody", "::/129", "10.0.0.0/x", ""])
      expect(() => addressFinder([wrong])).toThrow(/trusted proxies/)
  })

  test("is known for a request that it was noted for", () => {
    const request = new Request("http://localhost/")
    expect(clientAddressOf(request)).toBeUndefined()
    noteClientAddress(request, "192.0.2.1")
    expect(clientAddressOf(request)).toBe("192.0.2.1")
    expect(clientAddressOf(new Request("http://localhost/"))).toBeUndefined()
  })
})

describe("a network", () => {
  test("is an IPv4 address, or 64 bits of an IPv6 address", () => {
    expect(networkOf("203.0.113.7")).toBe("203.0.113.7")
    expect(networkOf("2001:db8:1:2:3:4:5:6")).toBe("2001:db8:1:2::/64")
    expect(networkOf("2001:db8::1")).toBe("2001:db8:0:0::/64")
    expect(networkOf("::1")).toBe("0:0:0:0::/64")
    expect(networkOf("64:ff9b::192.0.2.1")).toBe("64:ff9b:0:0::/64")
  })

  test("is the same for all addresses of one /64, and another for others", () => {
    const group = fc.integer({ min: 0, max: 0xffff })
    const groups = (length: number) => fc.array(group, { minLength: length, maxLength: length })
    const text = (parts: readonly number[]): string => parts.map((part) => part.toString(16)).join(":")
    fc.assert(
      fc.property(groups(4), groups(4), groups(4), groups(4), (network, other, host, host2) => {
        expect(networkOf(text([...network, ...host]))).toBe(networkOf(text([...network, ...host2])))
        fc.pre(text(network) !== text(other))
        expect(networkOf(text([...network, ...host]))).not.toBe(networkOf(text([...other, ...host])))
      }),
    )
  })
})
