import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type CiRequested, movesBranch, planJobs, requestChecks, stageJobs } from "./ci.ts"

const push = { repository: "octokit/webhooks", branch: "main", head: "6113728" }

describe("movesBranch", () => {
  it.each([
    [{ ref: "refs/heads/main", deleted: false }, true],
    [{ ref: "refs/heads/main" }, true],
    [{ ref: "refs/heads/main", deleted: true }, false],
    [{ ref: "refs/tags/v1", deleted: false }, false],
    [{}, false],
  ])("%j: %s", (payload, expected) => {
    expect(movesBranch(payload)).toBe(expected)
  })
})

describe("requestChecks", () => {
  it("gathers the files of all commits once", () => {
    const payload = {
      ref: "refs/heads/feat/x",
      after: "6113728",
      repository: { full_name: "octokit/webhooks" },
      commits: [
        { added: ["a.ts"], modified: ["b.ts"], removed: [] },
        { added: [], modified: ["a.ts"], removed: ["c.ts"] },
      ],
    }
    const files = ["a.ts", "b.ts", "c.ts"]
    expect(requestChecks(payload)).toEqual({ ...push, branch: "feat/x", files, fileCount: 3 })
  })

  it("keeps at most 200 paths, and how many there were", () => {
    const added = Array.from({ length: 350 }, (_, index) => `${index}.ts`)
    const { files, fileCount } = requestChecks({ commits: [{ added }] })
    expect([files.length, fileCount]).toEqual([200, 350])
  })
})

describe("planJobs", () => {
  it.each([
    [["README.md", "docs/logo.png"], ["docs"]],
    [["src/index.ts"], ["lint", "unit-tests"]],
    [["package-lock.json"], ["audit", "unit-tests"]],
    [[".github/workflows/test.yml"], ["workflow-lint"]],
    [
      ["Dockerfile", "sql/0001.sql"],
      ["image", "integration-tests"],
    ],
    [["data.bin"], ["integration-tests", "unit-tests"]],
    [["requirements.txt"], ["audit", "unit-tests"]],
    [[], []],
  ])("%j asks for %j", (files, names) => {
    expect(planJobs(requested(files)).jobs.map(({ name }) => name)).toEqual(names)
  })

  it("counts the files behind each job", () => {
    expect(planJobs(requested(["a.ts", "b.ts", "package.json"])).jobs).toEqual([
      { name: "audit", files: 1 },
      { name: "lint", files: 2 },
      { name: "unit-tests", files: 3 },
    ])
  })

  it("rather runs too much when it does not see all files", () => {
    const names = planJobs({ ...requested(["README.md"]), fileCount: 300 }).jobs.map(({ name }) => name)
    expect(names).toEqual(["docs", "integration-tests", "unit-tests"])
  })
})

describe("stageJobs", () => {
  it("puts what waits for something behind it", () => {
    expect(staged(["audit", "image", "integration-tests", "lint", "unit-tests"])).toEqual([
      ["audit", "lint"],
      ["unit-tests"],
      ["integration-tests"],
      ["image"],
    ])
  })

  it("does not wait for what is not planned", () => {
    expect(staged(["docs", "image"])).toEqual([["docs", "image"]])
    expect(staged([])).toEqual([])
  })

  it("has every planned job exactly once", () => {
    const path = fc.constantFrom("a.ts", "b.md", "Dockerfile", "x.sql", "go.mod", "data.bin", ".github/workflows/a.yml")
    fc.assert(
      fc.property(fc.array(path), (files) => {
        const planned = planJobs(requested(files))
        expect(stageJobs(planned).stages.flat().toSorted()).toEqual(planned.jobs.map(({ name }) => name))
      }),
    )
  })
})

function requested(files: readonly string[]): CiRequested {
  return { ...push, files, fileCount: files.length }
}

function staged(names: readonly string[]): readonly (readonly string[])[] {
  return stageJobs({ ...push, jobs: names.map((name) => ({ name, files: 1 })) }).stages
}
