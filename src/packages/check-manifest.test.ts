import { describe, expect, test } from "vitest"
import { fullManifest, sampleManifest } from "../../test/support/sample-manifest.ts"
import { checkManifest } from "./check-manifest.ts"
import { definePackage, parseManifest } from "./define-package.ts"
import { manifestChecksum } from "./manifest-checksum.ts"
import type { PackageManifest } from "./manifest.ts"

const full = fullManifest()
const [handler] = full.handlers ?? []

test("a good manifest has no problem, comes back as it was, and is frozen", () => {
  expect(checkManifest(full)).toEqual([])
  const made = definePackage(full)
  expect(made).toEqual(full)
  expect(Object.isFrozen(made.handlers?.[0])).toBe(true)
  expect(parseManifest(JSON.stringify(full))).toEqual(full)
})

/** What is changed, where it is told, and a part of what is told. */
const WRONG: readonly (readonly [string, Readonly<Record<string, unknown>>, string, string])[] = [
  ["a slug with a capital", { slug: "Hot" }, "/slug", "a slug of small letters"],
  ["no SemVer", { version: "1.0" }, "/version", "SemVer"],
  ["build metadata", { version: "1.0.0+build" }, "/version", "SemVer"],
  ["a wrong name of a field", { handler: [] }, "/handler", `did you mean "handlers"?`],
  ["scripts", { scripts: { install: "rm -rf /" } }, "/scripts", "expected no code"],
  ["a main", { main: "index.js" }, "/main", "expected no code"],
  ["a bin", { bin: {} }, "/bin", "expected no code"],
  ["eval", { eval: "1" }, "/eval", `expected no key "eval"`],
  ["a function", { description: () => "x" }, "/description", "packages hold no code"],
  ["a function deep down", { handlers: [{ ...handler, with: { run: () => 1 } }] }, "/handlers/0/with/run", "no code"],
  ["an address that runs code", { homepage: "javascript:alert(1)" }, "/homepage", "runs code"],
  ["a hidden one", { description: " java\tscript:alert(1)" }, "/description", "runs code"],
  ["an address without TLS", { homepage: "http://example.com" }, "/homepage", "https"],
  ["undefined", { homepage: undefined }, "/homepage", "leave the key out"],
  ["the same name twice", { agents: [{ name: "a" }, { name: "a" }] }, "/agents/1/name", "/agents/0"],
  ["no range", { dependencies: { other: "newest" } }, "/dependencies/other", "a range of versions"],
  ["itself as a dependency", { dependencies: { "hot-leads": "*" } }, "/dependencies/hot-leads", "this one"],
  ["a platform that is no range", { platform: "new" }, "/platform", "a range of versions"],
  ["a pattern that is none", { handlers: [{ ...handler, on: "a..b" }] }, "/handlers/0/on", "segment"],
  ["a sensor at no moment", { sensors: [{ name: "a", cron: "often" }] }, "/sensors/0/cron", "a cron expression"],
  [
    "a sensor that is called as a handler",
    { sensors: [{ name: "tell", uses: "mail.look" }] },
    "/sensors/0/name",
    "a name that no handler has",
  ],
  [
    "a credential that a sensor does not have",
    { sensors: [{ name: "a", uses: "mail.look", credentials: ["chap"] }] },
    "/sensors/0/credentials/0",
    `did you mean "chat"?`,
  ],
  [
    "an unknown comparison",
    { handlers: [{ ...handler, where: { path: "type", op: "is", value: 1 } }] },
    "/handlers/0/where/op",
    `"eq"`,
  ],
  [
    "a value for exists",
    { handlers: [{ ...handler, where: { path: "data.a", op: "exists", value: 1 } }] },
    "/handlers/0/where/value",
    "expected a field",
  ],
  [
    "no list for in",
    { handlers: [{ ...handler, where: { path: "data.a", op: "in", value: 1 } }] },
    "/handlers/0/where/value",
    "a list",
  ],
  [
    "another place than a signal's",
    { handlers: [{ ...handler, where: { path: "env.HOME", op: "exists" } }] },
    "/handlers/0/where/path",
    `"data"`,
  ],
  [
    "a credential that is none",
    { handlers: [{ ...handler, credentials: ["chatt"] }] },
    "/handlers/0/credentials/0",
    `did you mean "chat"?`,
  ],
  [
    "a key that config has not",
    { handlers: [{ ...handler, with: { a: "${config.minscore}" } }] },
    "/handlers/0/with/a",
    `did you mean "minScore"?`,
  ],
  [
    "another expression",
    { handlers: [{ ...handler, with: { a: "${process.env.HOME}" } }] },
    "/handlers/0/with/a",
    "no expression",
  ],
  [
    "a template of another language",
    { agents: [{ name: "a", with: { a: ["{{ secret }}"] } }] },
    "/agents/0/with/a/0",
    "no expression",
  ],
  ["a config that is no object", { config: { type: "string" }, handlers: [], agents: [] }, "/config/type", "object"],
  [
    "a default that does not fit",
    { config: { type: "object", properties: { a: { type: "string", default: 1 } } }, handlers: [], agents: [] },
    "/config/properties/a/default",
    "expected string",
  ],
  [
    "a schema from elsewhere",
    { config: { type: "object", $ref: "https://example.com/a.json" }, handlers: [], agents: [] },
    "/config/$ref",
    "within the schema",
  ],
  [
    "a pattern that hangs",
    { config: { type: "object", properties: { a: { pattern: "^(a+)+$" } } }, handlers: [], agents: [] },
    "/config/properties/a/pattern",
    "no text can keep busy",
  ],
  [
    "a schema of an action",
    { actions: [{ name: "a", uses: "b", params: { typ: "object" } }] },
    "/actions/0/params/typ",
    `did you mean "type"?`,
  ],
  [
    "a cron expression that is none",
    { schedules: [{ name: "a", cron: "x", emit: { type: "a" } }] },
    "/schedules/0/cron",
    "cron",
  ],
  [
    "a signal of the platform's",
    { signals: { emitted: [{ type: "package.install.completed", version: 1 }] } },
    "/signals/emitted/0/type",
    "the platform itself",
  ],
  ["another checksum", { checksum: `sha256:${"0".repeat(64)}` }, "/checksum", "own checksum"],
  [
    "a key that reaches further",
    JSON.parse(`{"agents":[{"name":"a","with":{"__proto__":{"a":1}}}]}`),
    "/agents/0/with/__proto__",
    "__proto__",
  ],
]

test.each(WRONG)("%s is told where it stands, and is the only thing told", (_name, change, pointer, message) => {
  const problems = checkManifest({ ...full, ...change })
  expect(problems.map((problem) => problem.pointer)).toEqual([pointer])
  expect(problems[0]?.message).toContain(message)
})

test("every reason is told at once, of wrong shapes and of the rest", () => {
  const { license: _, ...rest } = full
  const problems = checkManifest({ ...rest, slug: 7, platform: "new", handlers: [{ ...handler, on: "a..b" }] })
  expect(problems.map(({ pointer }) => pointer)).toEqual(["/license", "/slug", "/platform", "/handlers/0/on"])
})

test("what is no object is told as one", () => {
  for (const value of [null, 1, "x", []]) expect(checkManifest(value)).toHaveLength(1)
  const circle: Record<string, unknown> = { ...full }
  circle["config"] = circle
  expect(checkManifest(circle)[0]?.message).toContain("a circle")
})

test("an error lists the reasons, and text that is no JSON is told so", () => {
  const bad = { ...full, slug: "X", version: "1" } as PackageManifest
  expect(() => definePackage(bad)).toThrow(/2 problems:\n\/slug: .*\n\/version: /)
  expect(() => parseManifest("{")).toThrow(expect.objectContaining({ code: "package_invalid" }))
})

describe("the checksum of a manifest", () => {
  test("does not depend on the order of keys, $schema or itself", () => {
    const checksum = manifestChecksum(full)
    const turned = Object.fromEntries(Object.entries(full).toReversed()) as unknown as PackageManifest
    expect(manifestChecksum(turned)).toBe(checksum)
    expect(manifestChecksum({ ...full, $schema: "https://example.com", checksum })).toBe(checksum)
    expect(checkManifest({ ...full, checksum })).toEqual([])
  })

  test("changes with what the manifest says", () => {
    expect(manifestChecksum(sampleManifest({ name: "Other" }))).not.toBe(manifestChecksum(sampleManifest()))
  })
})
