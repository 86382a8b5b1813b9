import { expect, it } from "vitest"
import { isMilestone, reachMilestone, readEngagement } from "./community.ts"

const payload = {
  repository: { full_name: "octokit/webhooks", stargazers_count: 10, watchers_count: 11, forks_count: 3 },
  sender: { login: "octocat" },
}

it.each([
  ["star", 10],
  ["watch", 11],
  ["fork", 3],
] as const)("a %s is counted as GitHub counts it", (interest, total) => {
  expect(readEngagement(interest, payload)).toEqual({ repository: "octokit/webhooks", interest, who: "octocat", total })
})

it("counts nothing when nothing is known", () => {
  expect(readEngagement("star", {})).toEqual({ repository: null, interest: "star", who: null, total: 0 })
})

it("celebrates round numbers", () => {
  const celebrated = Array.from({ length: 1_001 }, (_, total) => total).filter(isMilestone)
  expect(celebrated).toEqual([1, 5, 10, 50, 100, 500, 1_000])
  expect([-1, 1.5, Number.NaN].some(isMilestone)).toBe(false)
})

it.each([
  [1, 5],
  [5, 10],
  [500, 1_000],
  [1_000, 5_000],
])("after %i comes %i", (total, next) => {
  const engaged = { repository: null, interest: "star", who: null, total } as const
  expect(reachMilestone(engaged)).toEqual({ repository: null, interest: "star", total, next })
})
