import { expect, test } from "vitest"
import { chooseLabels, chooseTeam, mentionedIssues, sizeLabel } from "./choose-labels.ts"

const rules = [
  { label: "security", words: ["xss"] },
  { label: "bug", words: ["crash", "Error"] },
  { label: "docs", words: ["readme"] },
  { label: "question", words: ["why"] },
]

test.each([
  ["A crash in the README", ["bug", "docs"]],
  ["error", ["bug"]],
  ["crashes", ["none"]],
  ["", ["none"]],
  ["why does the readme crash with xss", ["security", "bug", "docs"]],
])("%j is labelled %j", (text, labels) => {
  expect(chooseLabels(text, rules, "none")).toEqual(labels)
})

test.each([
  [0, "size/XS"],
  [10, "size/XS"],
  [11, "size/S"],
  [250, "size/M"],
  [1_000, "size/L"],
  [1_001, "size/XL"],
])("%d changed lines are %s", (lines, label) => {
  expect(sizeLabel(lines)).toBe(label)
})

test("the team is that of the first label that has one", () => {
  const teams = [
    { label: "docs", team: "writers" },
    { label: "bug", team: "core" },
  ]
  expect(chooseTeam(["size/S", "bug", "docs"], teams, "support")).toBe("core")
  expect(chooseTeam(["question"], teams, "support")).toBe("support")
})

test("issues are those that messages mention, each once, and no more than asked for", () => {
  const messages = ["closes #12, see #7 and #12", "octokit/webhooks#3 and a#4 are others'", "#0 is none", "(#9)"]
  expect(mentionedIssues(messages, 10)).toEqual([12, 7, 9])
  expect(mentionedIssues(messages, 2)).toEqual([12, 7])
})
