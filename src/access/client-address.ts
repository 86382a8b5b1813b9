import { BlockList, isIP, isIPv6 } from "node:net"
import { FleetPromptError } from "../errors.ts"

/** Addresses that were found out, for as long as their requests are. */
const addresses = new WeakMap<Request, string>()

/** The address that a request came from, where whoever took it in said so. */
export function clientAddressOf(request: Request): string | undefined {
  return addresses.get(request)
}

/** Notes where a request came from. */
export function noteClientAddress(request: Request, address: string | undefined): void {
  if (address !== undefined) addresses.set(request, address)
}

/** Finds the client's address from the connection's, and from what proxies that are trusted say. */
export type FindAddress = (request: Request, connection: string | undefined) => string | undefined

/** Entries of X-Forwarded-For that are looked at, from the last. */
const MAX_HOPS = 20
const PRIVATE = [
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "169.254.0.0/16",
  "127.0.0.0/8",
  "::1/128",
  "fc00::/7",
  "fe80::/10",
]

/**
 * Makes what finds clients' addresses. `X-Forwarded-For` is believed only as far as proxies wrote it that are trusted:
 * read from its end, the first address that is no such proxy is the client's. Without trusted proxies it is not read.
 *
 * @param trustedProxies addresses, networks such as `10.0.0.0/8`, or `private` for all private networks and this machine.
 * @throws FleetPromptError `config_invalid`
 */
export function addressFinder(trustedProxies: readonly string[]): FindAddress {
  const trusted = new BlockList()
  for (const network of trustedProxies.flatMap((each) => (each === "private" ? PRIVATE : [each])))
    trust(trusted, network)
  return (request, connection) => {
    let client = connection === undefined ? undefined : plainAddress(connection)
    if (client === undefined || !isTrusted(trusted, client)) return client
    const hops = (request.headers.get("x-forwarded-for") ?? "").split(",").slice(-MAX_HOPS).toReversed()
    for (const hop of hops) {
      const address = plainAddress(hop.trim())
      // Whatever stands further left, nobody trusted vouches for.
      if (address === undefined) return client
      client = address
      if (!isTrusted(trusted, client)) return client
    }
    return client
  }
}

/**
 * What limits count as one client: an IPv4 address, or the first 64 bits of an IPv6 address, since whoever has one of
 * these has them all.
 *
 * @example
 * networkOf("2001:db8:1:2:3:4:5:6") // "2001:db8:1:2::/64"
 */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address
  return `${groupsOf(address).slice(0, 4).join(":")}::/64`
}

function trust(list: BlockList, network: string): void {
  const [address = "", prefix] = network.split("/")
  const family = isIP(address)
  const bits = prefix === undefined ? (family === 6 ? 128 : 32) : Number(prefix)
  if (family === 0 || !Number.isInteger(bits) || bits < 0 || bits > (family === 6 ? 128 : 32) || prefix === "")
    throw new FleetPromptError(
      "config_invalid",
      `expected addresses, networks such as 10.0.0.0/8 or "private" as trusted proxies, got "${network}"`,
    )
  list.addSubnet(address, bits, family === 6 ? "ipv6" : "ipv4")
}

function isTrusted(list: BlockList, address: string): boolean {
  return list.check(address, isIPv6(address) ? "ipv6" : "ipv4")
}

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i
const WITH_PORT = /^(?:\[([^\]]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+)$/

/** An address without port, zone and brackets; an IPv4 address in IPv6 dress as what it is; undefined when it is none. */
function plainAddress(text: string): string | undefined {
  const [, bracketed, ipv4] = WITH_PORT.exec(text) ?? []
  const [bare = ""] = (bracketed ?? ipv4 ?? text).split("%")
  const address = MAPPED.exec(bare)?.[1] ?? bare
  return isIP(address) === 0 ? undefined : address.toLowerCase()
}

/** The eight groups of an IPv6 address, without leading zeros. */
function groupsOf(address: string): readonly string[] {
  // A URL writes them in their shortest form, and a last part in dots as two groups.
  const [head = "", tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::")
  const before = head === "" ? [] : head.split(":")
  const after = tail === undefined || tail === "" ? [] : tail.split(":")
  return [...before, ...Array<string>(8 - before.length - after.length).fill("0"), ...after]
}
