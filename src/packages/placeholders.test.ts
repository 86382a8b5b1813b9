import { expect, test } from "vitest"
import { checkPlaceholders, fillPlaceholders, isPlaceholder } from "./placeholders.ts"

const config = { repo: "a/b", count: 3, on: false, list: ["x"], deep: { key: "${config.repo}" } }

test("a text that is one placeholder becomes the value, with its type", () => {
  const data = {
    a: "${config.count}",
    b: ["${config.on}", "${config.list}"],
    c: "${config.deep.key}",
    d: "${config.missing}",
  }
  // What is filled in is not read again.
  expect(fillPlaceholders(data, config)).toEqual({ a: 3, b: [false, ["x"]], c: "${config.repo}", d: null })
})

test("within a text it becomes text, and nothing where there is none", () => {
  expect(fillPlaceholders("${config.repo}#${config.count} ${config.missing}${config.list}", config)).toBe('a/b#3 ["x"]')
  expect(fillPlaceholders("$config.repo and {config.repo}", config)).toBe("$config.repo and {config.repo}")
})

test("no other key of an object is reached than its own", () => {
  expect(fillPlaceholders("${config.constructor}", config)).toBeNull()
  expect(fillPlaceholders("${config.list.length}", config)).toBeNull()
})

test.each([
  ["${config.repo}", true],
  ["${config.a.b-c}", true],
  [" ${config.repo}", false],
  ["${config}", false],
  [3, false],
])("%j is a placeholder: %s", (value, expected) => expect(isPlaceholder(value)).toBe(expected))

const schema = { type: "object", properties: { repo: {}, deep: { properties: { key: {} } }, any: {} } }

test.each<[string, number]>([
  ["${config.repo} and ${config.deep.key}", 0],
  ["${config.any.thing}", 0],
  ["${config.deep.other}", 1],
  ["${config.rep}", 1],
  ["${ config.repo }", 1],
  ["${config.repo + 1}", 1],
  ["${env.HOME} ${config.rep}", 2],
  ["{{config.repo}}", 1],
  ["<%= config %>", 1],
  ["{ plain: $1 }", 0],
])("%j has %i problems", (text, count) => {
  expect(checkPlaceholders({ a: [text] }, schema, "/with").map(({ pointer }) => pointer)).toEqual(
    Array.from({ length: count }, () => "/with/a/0"),
  )
})
