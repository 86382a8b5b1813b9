import { defineHandler } from "../delivery/handler.ts"
import type { Handler } from "../delivery/handler-definition.ts"
import type { JsonValue } from "../signal/json.ts"
import { listAt, repositoryOf, textAt, valueAt } from "./payload.ts"

/** Data of `ci.requested`. */
export type CiRequested = {
  readonly repository: string | null
  readonly branch: string
  readonly head: string | null
  /** What the push changed, at most 200 paths. */
  readonly files: readonly string[]
  /** How many files it changed in all. */
  readonly fileCount: number
}

/** Data of `ci.planned`. */
export type CiPlanned = {
  readonly repository: string | null
  readonly branch: string
  readonly head: string | null
  readonly jobs: readonly CiJob[]
}

/** A job, and how many of the changed files asked for it. */
type CiJob = { readonly name: string; readonly files: number }

/** Data of `ci.staged`: jobs of one stage can run side by side, stages one after another. */
export type CiStaged = {
  readonly repository: string | null
  readonly branch: string
  readonly head: string | null
  readonly stages: readonly (readonly string[])[]
}

interface Rule {
  readonly files: RegExp
  readonly jobs: readonly string[]
}

const BRANCH = "refs/heads/"
const MAX_FILES = 200
/** The first rule that fits a file says which jobs it asks for. */
const RULES: readonly Rule[] = [
  { files: /^\.github\/workflows\//, jobs: ["workflow-lint"] },
  { files: /(^|\/)Dockerfile$/, jobs: ["image"] },
  {
    files:
      /(^|\/)(package(-lock)?\.json|yarn\.lock|Gemfile(\.lock)?|requirements\.txt|go\.(mod|sum)|Cargo\.(toml|lock)|pom\.xml)$/,
    jobs: ["audit", "unit-tests"],
  },
  { files: /\.(md|rst|adoc|txt)$|^docs\//i, jobs: ["docs"] },
  { files: /\.sql$/i, jobs: ["integration-tests"] },
  { files: /\.(c|cc|cpp|cs|go|java|[cm]?[jt]sx?|kt|php|py|rb|rs|swift)$/i, jobs: ["lint", "unit-tests"] },
]
/** For files that no rule knows, rather run too much. */
const DEFAULT_JOBS = ["unit-tests", "integration-tests"]
/** Which jobs a job waits for, when they are planned too. */
const NEEDS: ReadonlyMap<string, readonly string[]> = new Map([
  ["unit-tests", ["lint"]],
  ["integration-tests", ["unit-tests"]],
  ["image", ["unit-tests", "integration-tests", "audit"]],
])

/** Whether a push moved a branch: not a tag, and not a deletion. */
export function movesBranch(payload: JsonValue): boolean {
  return (textAt(payload, "ref") ?? "").startsWith(BRANCH) && valueAt(payload, "deleted") !== true
}

/** What a push changed, over all its commits. */
export function requestChecks(payload: JsonValue): CiRequested {
  const files = new Set(listAt(payload, "commits").flatMap(filesOf))
  return {
    repository: repositoryOf(payload),
    branch: (textAt(payload, "ref") ?? "").slice(BRANCH.length),
    head: textAt(payload, "after"),
    files: [...files].slice(0, MAX_FILES),
    fileCount: files.size,
  }
}

/** Which jobs the changed files ask for. A push that left files out of the list also gets the default jobs. */
export function planJobs({ repository, branch, head, files, fileCount }: CiRequested): CiPlanned {
  const asked = files.flatMap((file) => RULES.find((rule) => rule.files.test(file))?.jobs ?? DEFAULT_JOBS)
  const unseen = fileCount > files.length ? DEFAULT_JOBS : []
  const names = [...new Set([...asked, ...unseen])].toSorted()
  return {
    repository,
    branch,
    head,
    jobs: names.map((name) => ({ name, files: asked.filter((each) => each === name).length })),
  }
}

/** Puts planned jobs into stages: each as early as what it waits for allows. */
export function stageJobs({ repository, branch, head, jobs }: CiPlanned): CiStaged {
  const planned = new Set(jobs.map(({ name }) => name))
  const stages: string[][] = []
  for (const name of planned) (stages[stageOf(name, planned)] ??= []).push(name)
  return { repository, branch, head, stages: stages.filter((stage) => stage.length > 0) }
}

/** A push to a branch asks for checks; the changed files say which jobs, and in which order. */
export const ciHandlers: readonly Handler[] = [
  defineHandler({
    name: "ci.request",
    on: "github.push",
    where: (signal) => movesBranch(signal.data),
    run: async ({ signal, emit }) => {
      await emit("ci.requested", requestChecks(signal.data))
    },
  }),
  defineHandler<CiRequested>({
    name: "ci.plan",
    on: "ci.requested",
    run: async ({ signal, emit }) => {
      await emit("ci.planned", planJobs(signal.data))
    },
  }),
  defineHandler<CiPlanned>({
    name: "ci.stage",
    on: "ci.planned",
    run: async ({ signal, emit }) => {
      await emit("ci.staged", stageJobs(signal.data))
    },
  }),
]

function filesOf(commit: JsonValue): readonly string[] {
  return ["added", "modified", "removed"]
    .flatMap((key) => listAt(commit, key))
    .filter((file) => typeof file === "string")
}

/** The longest way of planned jobs that leads to this one. `NEEDS` has no cycle. */
function stageOf(name: string, planned: ReadonlySet<string>): number {
  const needs = (NEEDS.get(name) ?? []).filter((need) => planned.has(need))
  return needs.reduce((stage, need) => Math.max(stage, stageOf(need, planned) + 1), 0)
}
