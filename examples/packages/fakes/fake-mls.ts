import type { FakeSystem } from "./fake-server.ts"

const HOUSES = [
  { id: "mls-1", area: "94110", address: "12 Valencia St, San Francisco", price: 1_250_000 },
  { id: "mls-2", area: "94110", address: "7 Guerrero St, San Francisco", price: 890_000 },
  { id: "mls-3", area: "78704", address: "3 Barton Ct, Austin", price: 640_000 },
  { id: "mls-4", area: "78704", address: "41 Lamar Blvd, Austin", price: 480_000 },
]

/** Plays a multiple listing service with a few houses. */
export function fakeMls(token: string): FakeSystem {
  return {
    name: "mls",
    answer: ({ path, query, token: given }) => {
      if (path !== "/listings") return undefined
      if (given !== token) return { status: 401, body: { error: "unauthorized" } }
      const { area, max_price = "0", limit = "10" } = query
      const listings = HOUSES.filter((house) => house.price <= Number(max_price) && (!area || house.area === area))
      return { body: { listings: listings.toSorted((a, b) => b.price - a.price).slice(0, Number(limit)) } }
    },
  }
}
