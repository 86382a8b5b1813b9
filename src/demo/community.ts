import { defineHandler } from "../delivery/handler.ts"
import type { Handler } from "../delivery/handler-definition.ts"
import type { JsonValue } from "../signal/json.ts"
import { numberAt, repositoryOf, textAt } from "./payload.ts"

/** How someone took an interest in a repository. */
export type Interest = "star" | "watch" | "fork"

/** Data of `community.engaged`. */
export type CommunityEngaged = {
  readonly repository: string | null
  readonly interest: Interest
  readonly who: string | null
  /** How many there are of the kind now. */
  readonly total: number
}

/** Data of `community.milestone.reached`. */
export type CommunityMilestoneReached = {
  readonly repository: string | null
  readonly interest: Interest
  readonly total: number
  /** The number that is celebrated next. */
  readonly next: number
}

const SOURCES: readonly (readonly [interest: Interest, on: string])[] = [
  ["star", "github.star.created"],
  ["watch", "github.watch.started"],
  ["fork", "github.fork"],
]
/** Where GitHub counts them. */
const COUNTS: Readonly<Record<Interest, string>> = {
  star: "stargazers_count",
  watch: "watchers_count",
  fork: "forks_count",
}

/** Who took which interest in what. */
export function readEngagement(interest: Interest, payload: JsonValue): CommunityEngaged {
  return {
    repository: repositoryOf(payload),
    interest,
    who: textAt(payload, "sender", "login"),
    total: numberAt(payload, "repository", COUNTS[interest]) ?? 0,
  }
}

/** Whether a number is celebrated: 1, 5, 10, 50, 100, 500 and so on. */
export function isMilestone(total: number): boolean {
  return total >= 1 && /^[15]0*$/.test(String(total))
}

/** The milestone that was reached, and the next one. */
export function reachMilestone({ repository, interest, total }: CommunityEngaged): CommunityMilestoneReached {
  return { repository, interest, total, next: String(total).startsWith("5") ? total * 2 : total * 5 }
}

/** Stars, watches and forks are counted; round numbers are celebrated. */
export const communityHandlers: readonly Handler[] = [
  ...SOURCES.map(([interest, on]) =>
    defineHandler({
      name: `community.count-${interest}`,
      on,
      run: async ({ signal, emit }) => {
        await emit("community.engaged", readEngagement(interest, signal.data))
      },
    }),
  ),
  defineHandler<CommunityEngaged>({
    name: "community.celebrate",
    on: "community.engaged",
    where: (signal) => isMilestone(signal.data.total),
    run: async ({ signal, emit }) => {
      await emit("community.milestone.reached", reachMilestone(signal.data))
    },
  }),
]
