import fc from "fast-check"
import { expect, test } from "vitest"
import { lead, type LeadScore, scoreLead, TIMELINES } from "./score-lead.ts"

function score(known: object): LeadScore {
  return scoreLead(lead.parse({ lead_id: "1", ...known }), 85)
}

test.each([
  [{}, 0, "low"],
  [{ budget: 500_000 }, 35, "low"],
  [{ timeline: "immediate" }, 30, "low"],
  [{ pre_approved: true }, 20, "low"],
  [{ email: "ada@example.org" }, 10, "low"],
  [{ email: "ada@example.org", phone: "1" }, 10, "low"],
  [{ budget: 250_000, timeline: "1-3 months", pre_approved: true }, 57, "medium"],
  [{ budget: 500_000, timeline: "immediate", pre_approved: true }, 85, "high"],
  [{ budget: 499_999, timeline: "immediate", pre_approved: true }, 84, "medium"],
  [{ budget: 900_000, timeline: "immediate", pre_approved: true }, 89, "high"],
  [{ budget: 1_000_000, timeline: "immediate", pre_approved: true }, 90, "high"],
  [{ budget: 10_000_000, timeline: "immediate", pre_approved: true, phone: "1" }, 100, "high"],
  [{ budget: 10_000_000, timeline: "6+ months", pre_approved: true, phone: "1" }, 70, "medium"],
] as const)("the score of %j is %d, its priority %s", (known, points, priority) => {
  expect(score(known)).toMatchObject({ score: points, priority })
})

const leads = fc.record(
  {
    budget: fc.double({ min: 0, max: 1e308, noNaN: true }),
    timeline: fc.constantFrom(...TIMELINES),
    pre_approved: fc.boolean(),
    email: fc.string(),
    phone: fc.string(),
  },
  { requiredKeys: [] },
)

test("every score is a whole number from 0 to 100, and the sum of its points", () => {
  fc.assert(
    fc.property(leads, (known) => {
      const { score: total, points } = score(known)
      expect(Number.isInteger(total) && total >= 0 && total <= 100).toBe(true)
      expect(Object.values(points).reduce((sum, each) => sum + each, 0)).toBe(total)
    }),
  )
})

test("a high budget, at once, with an approved credit has at least 85 points and a high priority", () => {
  fc.assert(
    fc.property(fc.integer({ min: 500_000, max: 10_000_000 }), (budget) => {
      const judged = score({ budget, timeline: "immediate", pre_approved: true })
      expect(judged.score).toBeGreaterThanOrEqual(85)
      expect(judged.priority).toBe("high")
    }),
  )
})

test("more budget, or an earlier timeline, never costs points", () => {
  const below = fc.integer({ min: 0, max: 2_000_000 })
  fc.assert(
    fc.property(leads, below, below, (known, one, more) => {
      expect(score({ ...known, budget: one + more }).score).toBeGreaterThanOrEqual(
        score({ ...known, budget: one }).score,
      )
    }),
  )
  const points = TIMELINES.map((timeline) => score({ timeline }).score)
  expect(points).toEqual(points.toSorted((a, b) => b - a))
})
