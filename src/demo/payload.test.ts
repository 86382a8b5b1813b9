import { expect, it } from "vitest"
import { excerpt, listAt, numberAt, repositoryOf, textAt, valueAt, wordsOf } from "./payload.ts"

const payload = { number: 7, repository: { full_name: "octokit/webhooks", topics: ["a"] }, nothing: null }

it("reads what is there", () => {
  expect(textAt(payload, "repository", "full_name")).toBe("octokit/webhooks")
  expect(numberAt(payload, "number")).toBe(7)
  expect(listAt(payload, "repository", "topics")).toEqual(["a"])
  expect(valueAt(payload, "nothing")).toBeNull()
  expect(repositoryOf(payload)).toBe("octokit/webhooks")
})

it.each([
  ["missing"],
  ["repository", "missing"],
  ["number", "toFixed"],
  ["nothing", "more"],
  ["repository", "topics", "0"],
  ["repository", "topics", "length"],
  ["constructor", "name"],
  ["__proto__"],
])("finds nothing at %s %s", (...path) => {
  expect(valueAt(payload, ...path)).toBeUndefined()
  expect(textAt(payload, ...path)).toBeNull()
  expect(numberAt(payload, ...path)).toBeNull()
  expect(listAt(payload, ...path)).toEqual([])
})

it("takes no value of another kind", () => {
  expect(textAt(payload, "number")).toBeNull()
  expect(numberAt(payload, "repository")).toBeNull()
  expect(listAt(payload, "repository")).toEqual([])
})

it("cuts between characters", () => {
  expect(excerpt("abc", 3)).toBe("abc")
  expect(excerpt("abcd", 3)).toBe("abc")
  expect(excerpt("ab\u{1F600}", 3)).toBe("ab")
  expect(excerpt("a\u{1F600}b", 3)).toBe("a\u{1F600}")
})

it("divides a text into words of any script", () => {
  expect(wordsOf("The app's CRASHED, größer: 日本 2x!")).toEqual(["the", "app", "s", "crashed", "größer", "日本", "2x"])
  expect(wordsOf("--")).toEqual([])
})
