import { defineHandler } from "../delivery/handler.ts"
import type { Handler } from "../delivery/handler-definition.ts"
import type { JsonValue } from "../signal/json.ts"
import { repositoryOf, textAt } from "./payload.ts"

/** Data of `activity.recorded`. */
export type ActivityRecorded = {
  readonly repository: string | null
  /** Which part of the work it belongs to. */
  readonly area: string
  readonly event: string
  readonly action: string | null
  /** Login of who did it; null when GitHub names nobody. */
  readonly actor: string | null
  readonly actorKind: "person" | "bot" | "organization" | "nobody"
}

/** The first that fits an event's name says its area. */
const AREAS: readonly (readonly [area: string, events: RegExp])[] = [
  ["security", /^(dependabot_alert|repository_vulnerability_alert|security_|code_scanning_alert|secret_scanning)/],
  ["review", /^pull_request/],
  ["issues", /^(issue|label$|milestone$)/],
  ["checks", /^(check_|workflow_|status$|deployment|merge_group$)/],
  ["code", /^(push|create|delete|commit_comment|gollum|release|package|page_build)$/],
  ["conversation", /^discussion/],
  ["community", /^(star|watch|fork|sponsorship|public)$/],
  ["planning", /^project/],
]

/** One line of an activity feed, for any event of GitHub. */
export function recordActivity(type: string, payload: JsonValue): ActivityRecorded {
  const [, event = "unknown", action = null] = type.split(".")
  const [area] = AREAS.find(([, events]) => events.test(event)) ?? ["administration"]
  return {
    repository: repositoryOf(payload),
    area,
    event,
    action,
    actor: textAt(payload, "sender", "login"),
    actorKind: actorKindOf(payload),
  }
}

/** Every event becomes a line of the activity feed. */
export const activityHandlers: readonly Handler[] = [
  defineHandler({
    name: "activity.record",
    on: "github.**",
    run: async ({ signal, emit }) => {
      await emit("activity.recorded", recordActivity(signal.type, signal.data))
    },
  }),
]

function actorKindOf(payload: JsonValue): ActivityRecorded["actorKind"] {
  const login = textAt(payload, "sender", "login")
  if (login === null) return "nobody"
  const type = textAt(payload, "sender", "type")
  if (type === "Bot" || login.endsWith("[bot]")) return "bot"
  return type === "Organization" ? "organization" : "person"
}
