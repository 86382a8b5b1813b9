import { defineHandler } from "../delivery/handler.ts"
import type { Handler } from "../delivery/handler-definition.ts"
import type { JsonValue } from "../signal/json.ts"
import { excerpt, listAt, numberAt, repositoryOf, textAt, valueAt } from "./payload.ts"

/** Data of `review.requested`. */
export type ReviewRequested = {
  readonly repository: string | null
  readonly number: number | null
  readonly title: string
  readonly additions: number
  readonly deletions: number
  readonly files: number
  /** How many people were asked already. */
  readonly asked: number
}

/** Data of `review.sized`. */
export type ReviewSized = {
  readonly repository: string | null
  readonly number: number | null
  readonly size: string
  readonly lines: number
  /** What reading it should take. */
  readonly minutes: number
  readonly asked: number
}

/** Data of `review.planned`. */
export type ReviewPlanned = {
  readonly repository: string | null
  readonly number: number | null
  readonly size: string
  /** How many more people to ask. */
  readonly reviewersToAsk: number
  readonly dueHours: number
  /** Whether the author should divide it first. */
  readonly divide: boolean
}

interface Size {
  readonly name: string
  /** Lines changed, at most. */
  readonly upTo: number
  readonly reviewers: number
  readonly dueHours: number
}

const HUGE: Size = { name: "XL", upTo: Infinity, reviewers: 2, dueHours: 72 }
const SIZES: readonly Size[] = [
  { name: "XS", upTo: 10, reviewers: 1, dueHours: 4 },
  { name: "S", upTo: 50, reviewers: 1, dueHours: 8 },
  { name: "M", upTo: 200, reviewers: 1, dueHours: 24 },
  { name: "L", upTo: 800, reviewers: 2, dueHours: 48 },
  HUGE,
]
const READY_ACTIONS: ReadonlySet<string> = new Set(["opened", "reopened", "ready_for_review"])
/** A line that is gone is read faster than a new one. */
const DELETION_WEIGHT = 0.5
const LINES_A_MINUTE = 5
const MINUTES_A_FILE = 1
const MAX_TITLE = 200

/** Whether a pull request has just become ready to be read. */
export function needsReview(payload: JsonValue): boolean {
  return READY_ACTIONS.has(textAt(payload, "action") ?? "") && valueAt(payload, "pull_request", "draft") !== true
}

/** What planning a review needs of a pull request. */
export function requestReview(payload: JsonValue): ReviewRequested {
  return {
    repository: repositoryOf(payload),
    number: numberAt(payload, "pull_request", "number"),
    title: excerpt(textAt(payload, "pull_request", "title") ?? "", MAX_TITLE),
    additions: numberAt(payload, "pull_request", "additions") ?? 0,
    deletions: numberAt(payload, "pull_request", "deletions") ?? 0,
    files: numberAt(payload, "pull_request", "changed_files") ?? 0,
    asked: listAt(payload, "pull_request", "requested_reviewers").length,
  }
}

/** How large a change is to read. */
export function sizeReview({ repository, number, additions, deletions, files, asked }: ReviewRequested): ReviewSized {
  const lines = additions + deletions
  const reading = (additions + deletions * DELETION_WEIGHT) / LINES_A_MINUTE
  const minutes = Math.max(1, Math.ceil(reading + files * MINUTES_A_FILE))
  return { repository, number, size: sizeOf(lines).name, lines, minutes, asked }
}

/** How many people should still be asked, and by when it should be read. */
export function planReview({ repository, number, lines, asked }: ReviewSized): ReviewPlanned {
  const size = sizeOf(lines)
  const reviewersToAsk = Math.max(0, size.reviewers - asked)
  return { repository, number, size: size.name, reviewersToAsk, dueHours: size.dueHours, divide: size === HUGE }
}

/** A pull request that is ready is sized by its changed lines, then its review is planned. */
export const reviewHandlers: readonly Handler[] = [
  defineHandler({
    name: "review.request",
    on: "github.pull_request.*",
    where: (signal) => needsReview(signal.data),
    run: async ({ signal, emit }) => {
      await emit("review.requested", requestReview(signal.data))
    },
  }),
  defineHandler<ReviewRequested>({
    name: "review.size",
    on: "review.requested",
    run: async ({ signal, emit }) => {
      await emit("review.sized", sizeReview(signal.data))
    },
  }),
  defineHandler<ReviewSized>({
    name: "review.plan",
    on: "review.sized",
    run: async ({ signal, emit }) => {
      await emit("review.planned", planReview(signal.data))
    },
  }),
]

function sizeOf(lines: number): Size {
  return SIZES.find(({ upTo }) => lines <= upTo) ?? HUGE
}
