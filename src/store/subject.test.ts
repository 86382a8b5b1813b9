import { expect, test } from "vitest"
import { subjectColumns } from "./subject.ts"

const uuid = "0192F0C1-0000-7000-8000-000000000001"

test("a subject is divided at its first colon", () => {
  expect(subjectColumns(`installation:${uuid}`)).toEqual({
    subject_type: "installation",
    subject_id: uuid.toLowerCase(),
  })
  expect(subjectColumns("repository:octokit/webhooks").subject_type).toBe("repository")
})

test("an id that is no UUID gets one that is the same for the same text", () => {
  const first = subjectColumns("repository:octokit/webhooks").subject_id
  expect(first).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(subjectColumns("repository:octokit/webhooks").subject_id).toBe(first)
  expect(subjectColumns("repository:octokit/rest.js").subject_id).not.toBe(first)
})

test("a subject without a type has none", () => {
  expect(subjectColumns("just text").subject_type).toBeNull()
  expect(subjectColumns("Not A Type:1").subject_type).toBeNull()
  expect(subjectColumns(undefined)).toEqual({ subject_type: null, subject_id: null })
})
