import { defineActionTemplate, defineHandlerTemplate } from "fleetprompt"
import { z } from "zod"
import { onData } from "../on-data.ts"
import { lead, scoreLead } from "./score-lead.ts"

const thresholds = z.object({ min_score: z.number(), high_from: z.number() })

/** Scores a lead, and says whether it qualifies. */
export const qualifyLead = defineHandlerTemplate({
  name: "leads.qualify",
  description: "Scores a lead and tells lead.qualified or lead.disqualified.",
  params: thresholds,
  run: onData(lead, async (known, { params, emit }) => {
    const { lead_id, budget, area = null } = known
    const { score, priority } = scoreLead(known, params.high_from)
    const isQualified = score >= params.min_score
    // Names and addresses of people stay with the signal that brought them.
    const told = isQualified
      ? { lead_id, score, priority, budget, area }
      : { lead_id, score, min_score: params.min_score }
    await emit(isQualified ? "lead.qualified" : "lead.disqualified", told, { subject: `lead:${lead_id}` })
  }),
})

/** The score of a lead for whoever asks. */
export const scoreLeadAction = defineActionTemplate({
  name: "leads.score",
  description: "Scores a lead and says where the points come from.",
  params: thresholds,
  run: ({ input, params }) => {
    // Whatever the action's schema allows is a lead.
    const { score, priority, points } = scoreLead(lead.parse(input), params.high_from)
    return { score, priority, points, is_qualified: score >= params.min_score }
  },
})
