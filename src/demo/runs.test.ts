import { describe, expect, it } from "vitest"
import { concludeRun, flagRun, isRun, isWorrying } from "./runs.ts"

const run = { repository: "octokit/webhooks", kind: "check_run", name: "linter", seconds: 30 }

describe("concludeRun", () => {
  it("reads name, conclusion and how long it took", () => {
    const payload = {
      repository: { full_name: "octokit/webhooks" },
      check_run: {
        name: "linter",
        conclusion: "failure",
        started_at: "2026-01-01T00:00:00Z",
        completed_at: "2026-01-01T00:00:30Z",
      },
    }
    expect(concludeRun(payload)).toEqual({ ...run, conclusion: "failure" })
  })

  it("takes the times and the name that there are", () => {
    const check_suite = {
      app: { name: "Octo" },
      conclusion: null,
      created_at: "2026-01-01T00:00:00+01:00",
      updated_at: "2026-01-01T00:00:01Z",
    }
    expect(concludeRun({ check_suite })).toEqual({
      repository: null,
      kind: "check_suite",
      name: "Octo",
      conclusion: "unknown",
      seconds: 3_601,
    })
  })

  it("gives no time when the clock makes no sense", () => {
    const times = { started_at: "2026-01-02T00:00:00Z", completed_at: "2026-01-01T00:00:00Z" }
    expect(concludeRun({ workflow_run: { name: "", ...times } })).toMatchObject({ name: "workflow_run", seconds: null })
    expect(concludeRun({ workflow_run: { started_at: "soon" } })).toMatchObject({ seconds: null })
  })
})

it("knows what is a run", () => {
  expect(isRun({ workflow_job: {}, workflow_run: {} })).toBe(true)
  expect(isRun({ check_run: null })).toBe(false)
  expect(isRun({ issue: {} })).toBe(false)
  expect(isRun(null)).toBe(false)
})

it.each([
  ["success", false],
  ["neutral", false],
  ["skipped", false],
  ["failure", true],
  ["unknown", true],
])("%s is worrying: %s", (conclusion, expected) => {
  expect(isWorrying({ ...run, conclusion })).toBe(expected)
})

it.each([
  ["failure", "investigate"],
  ["timed_out", "rerun"],
  ["action_required", "approve"],
  ["unknown", "look"],
])("after %s one should %s", (conclusion, next) => {
  expect(flagRun({ ...run, conclusion })).toMatchObject({ name: "linter", conclusion, next })
})
