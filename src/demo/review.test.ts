import { describe, expect, it } from "vitest"
import { needsReview, planReview, requestReview, sizeReview } from "./review.ts"

const pull = { repository: "octokit/webhooks", number: 3 }

describe("needsReview", () => {
  it.each([
    [{ action: "opened", pull_request: { draft: false } }, true],
    [{ action: "reopened", pull_request: {} }, true],
    [{ action: "ready_for_review", pull_request: { draft: false } }, true],
    [{ action: "opened", pull_request: { draft: true } }, false],
    [{ action: "closed", pull_request: { draft: false } }, false],
    [{}, false],
  ])("%j: %s", (payload, expected) => {
    expect(needsReview(payload)).toBe(expected)
  })
})

it("reads what was changed and who was asked", () => {
  const payload = {
    pull_request: {
      number: 3,
      title: "Update",
      additions: 4,
      deletions: 2,
      changed_files: 1,
      requested_reviewers: [{ login: "octocat" }],
    },
    repository: { full_name: "octokit/webhooks" },
  }
  expect(requestReview(payload)).toEqual({ ...pull, title: "Update", additions: 4, deletions: 2, files: 1, asked: 1 })
})

it.each([
  [0, 0, 0, "XS", 1],
  [1, 1, 1, "XS", 2],
  [10, 0, 1, "XS", 3],
  [11, 0, 1, "S", 4],
  [50, 150, 5, "M", 30],
  [700, 100, 10, "L", 160],
  [801, 0, 1, "XL", 162],
])("+%i -%i in %i files is %s and takes %i minutes", (additions, deletions, files, size, minutes) => {
  const sized = sizeReview({ ...pull, title: "", additions, deletions, files, asked: 0 })
  expect(sized).toEqual({ ...pull, size, lines: additions + deletions, minutes, asked: 0 })
})

it.each([
  [5, 0, { size: "XS", reviewersToAsk: 1, dueHours: 4, divide: false }],
  [5, 1, { size: "XS", reviewersToAsk: 0, dueHours: 4, divide: false }],
  [500, 1, { size: "L", reviewersToAsk: 1, dueHours: 48, divide: false }],
  [5_000, 5, { size: "XL", reviewersToAsk: 0, dueHours: 72, divide: true }],
])("%i lines with %i asked are planned as %j", (lines, asked, plan) => {
  expect(planReview({ ...pull, size: "", lines, minutes: 1, asked })).toEqual({ ...pull, ...plan })
})
