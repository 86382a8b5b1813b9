import { defineActionTemplate, defineHandlerTemplate, type Template } from "fleetprompt"
import { z } from "zod"
import { OutsideError, retryOutside } from "../connectors/outside-error.ts"
import { PROPERTY_SOURCES, type PropertyApi } from "../connectors/property-api.ts"
import { onData } from "../on-data.ts"
import { type Research, researchProperty } from "./research.ts"

const params = z
  .object({
    sources: z.array(z.enum(PROPERTY_SOURCES)).min(1),
    max_concurrency: z.number().int().min(1),
    timeout_ms: z.number().int().min(1),
    min_answers: z.number().int().min(1),
  })
  .transform(({ sources, max_concurrency, timeout_ms, min_answers }) => ({
    minAnswers: Math.min(min_answers, sources.length),
    options: { sources, maxConcurrency: max_concurrency, timeoutMs: timeout_ms },
  }))
const house = z.object({ address: z.string().min(1).max(500), lead_id: z.string().optional() })

/** Finds out about houses from several sources at once. */
export function propertyTemplates(api: PropertyApi): readonly Template[] {
  const research = defineHandlerTemplate({
    name: "property.research",
    description: "Asks sources about a house at once, and tells property.researched with who answered and who did not.",
    params,
    retry: retryOutside,
    concurrency: { perTenant: 2 },
    run: onData(house, async ({ address, lead_id = null }, { params, credentials, emit, abort }) => {
      const { options, minAnswers } = params
      const found = await researchProperty(address, credentials, api, { ...options, abort })
      if (found.answered < minAnswers) throw tooFew(found, minAnswers)
      await emit("property.researched", { lead_id, ...found })
    }),
  })
  const lookUp = defineActionTemplate({
    name: "property.look-up",
    description: "Asks sources about a house at once, for whoever waits for it.",
    params,
    run: ({ input, params: { options }, credentials, abort }) =>
      // Whatever the action's schema allows has an address.
      researchProperty(house.parse(input).address, credentials, api, { ...options, abort }),
  })
  return [research, lookUp]
}

function tooFew({ answered, asked, missing }: Research, minAnswers: number): OutsideError {
  const reasons = missing.map(({ source, reason }) => `${source}: ${reason}`).join("; ")
  return new OutsideError(
    `expected at least ${minAnswers} of ${asked} sources to answer, got ${answered} (${reasons}); they are asked again`,
    { system: "property sources", status: null, retryAfterMs: null, isPassing: true },
  )
}
