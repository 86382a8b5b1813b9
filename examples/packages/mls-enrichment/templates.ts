import { defineHandlerTemplate, type HandlerTemplate } from "fleetprompt"
import { z } from "zod"
import type { MlsApi } from "../connectors/mls-api.ts"
import { retryOutside } from "../connectors/outside-error.ts"
import { onData } from "../on-data.ts"

const params = z.object({ listings: z.number().int() })
const qualified = z.object({
  lead_id: z.string(),
  score: z.number(),
  budget: z.number(),
  area: z.string().nullable(),
})

/** Looks for houses that a lead may buy. */
export function mlsTemplates(mls: MlsApi): readonly HandlerTemplate[] {
  const enrichLead = defineHandlerTemplate({
    name: "mls.enrich-lead",
    description: "Looks for houses that a qualified lead may buy, and tells lead.enriched.",
    params,
    retry: retryOutside,
    timeoutMs: 30_000,
    run: onData(qualified, async ({ lead_id, score, budget, area }, { params, credentials, emit, abort }) => {
      const access = { token: (await credentials.get("mls")).reveal("token"), abort }
      const listings = await mls.search({ area, maxPrice: budget, limit: params.listings }, access)
      const best = listings[0]
      await emit("lead.enriched", { lead_id, score, listings, ...(best && { address: best.address }) })
    }),
  })
  return [enrichLead]
}
