import { defineHandler } from "../delivery/handler.ts"
import type { Handler } from "../delivery/handler-definition.ts"
import type { JsonValue } from "../signal/json.ts"
import { excerpt, numberAt, repositoryOf, textAt, wordsOf } from "./payload.ts"

// The data of signals are type aliases throughout: TypeScript takes an interface for no JsonObject.

/** Data of `triage.requested`. */
export type TriageRequested = {
  readonly repository: string | null
  readonly number: number | null
  readonly title: string
  readonly text: string
}

/** Data of `triage.labelled`. */
export type TriageLabelled = {
  readonly repository: string | null
  readonly number: number | null
  /** The best one first. */
  readonly labels: readonly string[]
}

/** Data of `triage.assigned`. */
export type TriageAssigned = {
  readonly repository: string | null
  readonly number: number | null
  readonly team: string
  /** 1 is the most urgent, 4 the least. */
  readonly priority: number
}

interface Topic {
  readonly label: string
  readonly team: string
  readonly priority: number
  readonly words: ReadonlySet<string>
}

const TOPICS: readonly Topic[] = [
  topic("security", "security", 1, "vulnerability cve exploit injection xss csrf leak leaked password unsafe"),
  topic(
    "bug",
    "core",
    2,
    "bug error errors crash crashes fail fails failed failure broken breaks exception regression",
  ),
  topic("performance", "core", 2, "slow slower performance memory latency timeout hang hangs cpu"),
  topic("documentation", "docs", 3, "docs documentation readme spelling spelled typo typos example examples guide"),
  topic("enhancement", "product", 3, "feature add support request allow enable improve improvement proposal"),
  topic("question", "support", 4, "how why question help wondering anyone possible"),
]
const UNKNOWN = topic("needs-triage", "support", 3, "")
const TITLE_WEIGHT = 3
const MAX_LABELS = 3
const MAX_TITLE = 200
const MAX_TEXT = 2_000

/** What triage needs of an issue. */
export function requestTriage(payload: JsonValue): TriageRequested {
  return {
    repository: repositoryOf(payload),
    number: numberAt(payload, "issue", "number"),
    title: excerpt(textAt(payload, "issue", "title") ?? "", MAX_TITLE),
    text: excerpt(textAt(payload, "issue", "body") ?? "", MAX_TEXT),
  }
}

/**
 * Labels an issue by its words: a word of a topic counts once, three times as much in the title;
 * topics with at least half of the best score become labels.
 */
export function labelIssue({ repository, number, title, text }: TriageRequested): TriageLabelled {
  const titleWords = new Set(wordsOf(title))
  const textWords = new Set(wordsOf(text))
  const score = ({ words }: Topic) => TITLE_WEIGHT * overlap(words, titleWords) + overlap(words, textWords)
  const scored = TOPICS.map((each) => ({ label: each.label, score: score(each) })).toSorted((a, b) => b.score - a.score)
  const best = scored[0]?.score ?? 0
  const labels = scored.filter((each) => each.score > 0 && each.score * 2 >= best).map(({ label }) => label)
  return { repository, number, labels: labels.length === 0 ? [UNKNOWN.label] : labels.slice(0, MAX_LABELS) }
}

/** Gives an issue to the team of its best label, with the priority of its most urgent one. */
export function assignIssue({ repository, number, labels }: TriageLabelled): TriageAssigned {
  const topics = labels.map((label) => TOPICS.find((each) => each.label === label) ?? UNKNOWN)
  const [best = UNKNOWN] = topics
  return {
    repository,
    number,
    team: best.team,
    priority: Math.min(best.priority, ...topics.map((each) => each.priority)),
  }
}

/** An opened issue is labelled by its words, then given to a team. */
export const triageHandlers: readonly Handler[] = [
  defineHandler({
    name: "triage.request",
    on: "github.issues.opened",
    run: async ({ signal, emit }) => {
      await emit("triage.requested", requestTriage(signal.data))
    },
  }),
  defineHandler<TriageRequested>({
    name: "triage.label",
    on: "triage.requested",
    run: async ({ signal, emit }) => {
      await emit("triage.labelled", labelIssue(signal.data))
    },
  }),
  defineHandler<TriageLabelled>({
    name: "triage.assign",
    on: "triage.labelled",
    run: async ({ signal, emit }) => {
      await emit("triage.assigned", assignIssue(signal.data))
    },
  }),
]

function topic(label: string, team: string, priority: number, words: string): Topic {
  return { label, team, priority, words: new Set(words.split(" ")) }
}

function overlap(left: ReadonlySet<string>, right: ReadonlySet<string>): number {
  return [...left].filter((word) => right.has(word)).length
}
