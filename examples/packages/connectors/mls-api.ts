import { z } from "zod"
import { readAnswer } from "./read-answer.ts"
import { requestJson } from "./request-json.ts"

/** A house for sale. */
export type Listing = {
  readonly id: string
  readonly address: string
  readonly price: number
}

/** What is looked for. */
export interface ListingSearch {
  readonly area: string | null
  readonly maxPrice: number
  readonly limit: number
}

/** The listing service. @throws OutsideError */
export interface MlsApi {
  /** The dearest first. */
  readonly search: (
    search: ListingSearch,
    access: { readonly token: string; readonly abort: AbortSignal },
  ) => Promise<readonly Listing[]>
}

const answer = z.object({
  listings: z.array(z.object({ id: z.string(), address: z.string().min(1), price: z.number() })),
})

/** The listing service at an address. */
export function mlsApi(url: string): MlsApi {
  return {
    search: async ({ area, maxPrice, limit }, { token, abort }) => {
      const query = new URLSearchParams({ max_price: String(maxPrice), limit: String(limit), ...(area && { area }) })
      const got = await requestJson({ system: "the MLS", url: `${url}/listings?${String(query)}`, token, abort })
      return readAnswer("the MLS", answer, got).listings.slice(0, limit)
    },
  }
}
