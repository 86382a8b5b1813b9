import { describe, expect, it } from "vitest"
import { assignIssue, labelIssue, requestTriage } from "./triage.ts"

const issue = { repository: "octokit/webhooks", number: 1 }

describe("requestTriage", () => {
  it("takes title and text of the issue", () => {
    const payload = {
      issue: { number: 1, title: "It crashes", body: "Always" },
      repository: { full_name: "octokit/webhooks" },
    }
    expect(requestTriage(payload)).toEqual({ ...issue, title: "It crashes", text: "Always" })
  })

  it("keeps long texts short, and manages without", () => {
    const { title, text } = requestTriage({ issue: { title: "a".repeat(500), body: "b".repeat(9_000) } })
    expect([title.length, text.length]).toEqual([200, 2_000])
    expect(requestTriage({ issue: { title: "x", body: null } })).toMatchObject({ text: "", number: null })
  })
})

describe("labelIssue", () => {
  it.each([
    ["Spelling error in the README file", "", ["documentation", "bug"]],
    ["Crash", "It fails with an exception", ["bug"]],
    ["Add support for Postgres 18", "", ["enhancement"]],
    ["How do I install it?", "Any help is welcome", ["question"]],
    ["SQL injection in search", "CVE requested", ["security"]],
    ["", "it is slow, and the memory grows", ["performance"]],
    ["Hello", "", ["needs-triage"]],
    ["", "", ["needs-triage"]],
  ])("%j with text %j is %j", (title, text, labels) => {
    expect(labelIssue({ ...issue, title, text })).toEqual({ ...issue, labels })
  })

  it("counts a word once and a title's word three times", () => {
    expect(labelIssue({ ...issue, title: "crash", text: "docs docs docs docs docs docs docs docs" }).labels).toEqual([
      "bug",
    ])
  })

  it("gives at most three labels", () => {
    const title = "security bug slow docs feature question"
    expect(labelIssue({ ...issue, title, text: "" }).labels).toHaveLength(3)
  })
})

describe("assignIssue", () => {
  it.each([
    [["documentation", "bug"], "docs", 2],
    [["bug", "security"], "core", 1],
    [["question"], "support", 4],
    [["needs-triage"], "support", 3],
    [["a label someone else gave"], "support", 3],
    [[], "support", 3],
  ])("%j goes to %s with priority %i", (labels, team, priority) => {
    expect(assignIssue({ ...issue, labels })).toEqual({ ...issue, team, priority })
  })
})
