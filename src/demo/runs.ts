import { defineHandler } from "../delivery/handler.ts"
import type { Handler } from "../delivery/handler-definition.ts"
import type { JsonValue } from "../signal/json.ts"
import { excerpt, repositoryOf, textAt, valueAt } from "./payload.ts"

/** Data of `ci.concluded`. */
export type CiConcluded = {
  readonly repository: string | null
  readonly kind: string
  readonly name: string
  /** GitHub's word, such as `success`; `unknown` when it gave none. */
  readonly conclusion: string
  /** How long it took; null when GitHub gave no times. */
  readonly seconds: number | null
}

/** Data of `ci.flagged`. */
export type CiFlagged = {
  readonly repository: string | null
  readonly kind: string
  readonly name: string
  readonly conclusion: string
  /** What a person should do. */
  readonly next: string
}

const KINDS = ["workflow_job", "workflow_run", "check_run", "check_suite"]
const NEXT: ReadonlyMap<string, string> = new Map([
  ["failure", "investigate"],
  ["startup_failure", "investigate"],
  ["timed_out", "rerun"],
  ["cancelled", "rerun"],
  ["stale", "rerun"],
  ["action_required", "approve"],
])
const GOOD: ReadonlySet<string> = new Set(["success", "neutral", "skipped"])
const MAX_NAME = 200

/** Whether an event is about a check or a workflow. */
export function isRun(payload: JsonValue): boolean {
  return kindOf(payload) !== undefined
}

/** How a check or workflow ended, and how long it took. */
export function concludeRun(payload: JsonValue): CiConcluded {
  const kind = kindOf(payload) ?? "run"
  return {
    repository: repositoryOf(payload),
    kind,
    name: excerpt(nameOf(payload, kind), MAX_NAME),
    conclusion: textAt(payload, kind, "conclusion") ?? "unknown",
    seconds: secondsOf(valueAt(payload, kind) ?? null),
  }
}

/** Whether someone should look at it. */
export function isWorrying({ conclusion }: CiConcluded): boolean {
  return !GOOD.has(conclusion)
}

/** What to do about a run that did not go well. */
export function flagRun({ repository, kind, name, conclusion }: CiConcluded): CiFlagged {
  return { repository, kind, name, conclusion, next: NEXT.get(conclusion) ?? "look" }
}

/** A finished check or workflow is summed up; one that did not go well is flagged. */
export const runHandlers: readonly Handler[] = [
  defineHandler({
    name: "ci.conclude",
    on: "github.*.completed",
    where: (signal) => isRun(signal.data),
    run: async ({ signal, emit }) => {
      await emit("ci.concluded", concludeRun(signal.data))
    },
  }),
  defineHandler<CiConcluded>({
    name: "ci.flag",
    on: "ci.concluded",
    where: (signal) => isWorrying(signal.data),
    run: async ({ signal, emit }) => {
      await emit("ci.flagged", flagRun(signal.data))
    },
  }),
]

/** A workflow_job's payload may hold its workflow_run too, so the narrower kind is looked for first. */
function kindOf(payload: JsonValue): string | undefined {
  return KINDS.find((kind) => typeof (valueAt(payload, kind) ?? undefined) === "object")
}

/** Suites have no name but that of the app that ran them; a run can have an empty one. */
function nameOf(payload: JsonValue, kind: string): string {
  return textAt(payload, kind, "name") || textAt(payload, kind, "app", "name") || kind
}

function secondsOf(run: JsonValue): number | null {
  const start = timeAt(run, ["run_started_at", "started_at", "created_at"])
  const end = timeAt(run, ["completed_at", "updated_at"])
  return start === undefined || end === undefined || end < start ? null : Math.round((end - start) / 1_000)
}

function timeAt(run: JsonValue, keys: readonly string[]): number | undefined {
  return keys.map((key) => Date.parse(textAt(run, key) ?? "")).find((time) => !Number.isNaN(time))
}
