import { z } from "zod"

/** How soon somebody wants to buy, the soonest first. */
export const TIMELINES = ["immediate", "1-3 months", "3-6 months", "6+ months"] as const

/** What is known of a lead. What was left out counts as nothing. */
export const lead = z.object({
  lead_id: z.string().min(1).max(200),
  budget: z.number().min(0).default(0),
  timeline: z.enum(TIMELINES).optional(),
  pre_approved: z.boolean().default(false),
  email: z.string().optional(),
  phone: z.string().optional(),
  area: z.string().max(200).optional(),
})
/** A lead, read. */
export type Lead = z.infer<typeof lead>

/** How much a lead is worth. */
export type LeadScore = {
  /** 0 to 100. */
  readonly score: number
  readonly priority: "high" | "medium" | "low"
  /** Where the points come from, for people. */
  readonly points: {
    readonly budget: number
    readonly timeline: number
    readonly approval: number
    readonly contact: number
  }
}

/** Up to this budget points rise to MOST_BELOW, from there by one for each step up to MOST. */
const HIGH_BUDGET = 500_000
const MOST_BELOW = 35
const MOST = 40
const STEP = 100_000
const TIMELINE_POINTS = { immediate: 30, "1-3 months": 20, "3-6 months": 10, "6+ months": 0 } as const
const APPROVAL_POINTS = 20
const CONTACT_POINTS = 10
const MEDIUM_FROM = 50

/**
 * The score of a lead: 40 points for the budget, 30 for the timeline, 20 for an approved credit, 10 for a way to answer.
 *
 * @example
 * scoreLead({ lead_id: "7", budget: 900_000, timeline: "immediate", pre_approved: true }, 85) // { score: 89, … }
 */
export function scoreLead({ budget, timeline, pre_approved, email, phone }: Lead, highFrom: number): LeadScore {
  const points = {
    budget: budgetPoints(budget),
    timeline: timeline ? TIMELINE_POINTS[timeline] : 0,
    approval: pre_approved ? APPROVAL_POINTS : 0,
    contact: email || phone ? CONTACT_POINTS : 0,
  }
  const score = points.budget + points.timeline + points.approval + points.contact
  return { score, priority: priorityOf(score, highFrom), points }
}

function budgetPoints(budget: number): number {
  if (budget < HIGH_BUDGET) return Math.floor((budget * MOST_BELOW) / HIGH_BUDGET)
  return Math.min(MOST, MOST_BELOW + Math.floor((budget - HIGH_BUDGET) / STEP))
}

function priorityOf(score: number, highFrom: number): LeadScore["priority"] {
  if (score >= highFrom) return "high"
  return score >= MEDIUM_FROM ? "medium" : "low"
}
