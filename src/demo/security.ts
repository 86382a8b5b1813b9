import { defineHandler } from "../delivery/handler.ts"
import type { Handler } from "../delivery/handler-definition.ts"
import type { JsonValue } from "../signal/json.ts"
import { excerpt, listAt, numberAt, repositoryOf, textAt, valueAt } from "./payload.ts"

/** GitHub's events about security. */
export type SecurityEvent =
  | "dependabot_alert"
  | "repository_vulnerability_alert"
  | "security_advisory"
  | "code_scanning_alert"
  | "secret_scanning_alert"

/** Data of `security.alerted`: what all kinds of alert have in common. */
export type SecurityAlerted = {
  readonly event: SecurityEvent
  readonly repository: string | null
  /** What is affected: a package, a rule, a kind of secret. */
  readonly about: string
  /** GHSA id or number of the alert. */
  readonly alert: string | null
  readonly open: boolean
  /** GitHub's word. */
  readonly severity: string | null
  /** CVSS base score, when GitHub gave one. */
  readonly cvss: number | null
  /** The first version without the fault. */
  readonly fixedIn: string | null
}

/** Data of `security.rated`. */
export type SecurityRated = {
  readonly event: SecurityEvent
  readonly repository: string | null
  readonly about: string
  readonly alert: string | null
  /** 0 to 10; 0 when the alert is closed. */
  readonly score: number
  /** The band of CVSS 3 that the score is in. */
  readonly rating: Rating
  readonly fixedIn: string | null
}

/** Data of `security.response.planned`. */
export type SecurityResponsePlanned = {
  readonly repository: string | null
  readonly alert: string | null
  readonly rating: Rating
  readonly dueDays: number
  readonly step: string
}

/** A band of CVSS 3. */
type Rating = "none" | "low" | "medium" | "high" | "critical"

/** Scores for alerts that come without one: the middle of the band that GitHub's word names. */
const SCORES: ReadonlyMap<string, number> = new Map([
  ["critical", 9.5],
  ["high", 8],
  ["error", 8],
  ["medium", 5.5],
  ["moderate", 5.5],
  ["warning", 5.5],
  ["low", 2],
  ["note", 1],
])
const UNKNOWN_SCORE = 5.5
const DUE_DAYS: Readonly<Record<Rating, number>> = { none: 365, low: 90, medium: 30, high: 7, critical: 2 }
const SCORE_TO_RESPOND = 4
const MAX_TEXT = 200
const CLOSED_STATES: ReadonlySet<string> = new Set(["fixed", "dismissed", "auto_dismissed", "resolved", "closed"])
const CLOSING_ACTIONS: ReadonlySet<string> = new Set([
  "fixed",
  "dismiss",
  "dismissed",
  "resolve",
  "resolved",
  "withdrawn",
])

/** What each kind of alert says, in the same words. */
export function readAlert(event: SecurityEvent, payload: JsonValue): SecurityAlerted {
  const alert = valueAt(payload, event === "security_advisory" ? event : "alert") ?? null
  const advisory = valueAt(alert, "security_advisory") ?? alert
  return {
    event,
    repository: repositoryOf(payload),
    about: excerpt(aboutOf(alert) ?? event, MAX_TEXT),
    alert: textAt(advisory, "ghsa_id") ?? numberAt(alert, "number")?.toString() ?? null,
    open: isOpen(payload, alert),
    severity: severityOf(event, alert, advisory),
    cvss: numberAt(advisory, "cvss", "score"),
    fixedIn: fixOf(alert, advisory),
  }
}

/** Rates an alert from 0 to 10: by its CVSS score, else by its severity; one that is closed is no danger. */
export function rateAlert({
  event,
  repository,
  about,
  alert,
  open,
  severity,
  cvss,
  fixedIn,
}: SecurityAlerted): SecurityRated {
  // GitHub sends 0 for advisories that nobody has scored.
  const score = cvss || (SCORES.get(severity ?? "") ?? UNKNOWN_SCORE)
  const rated = open ? score : 0
  return { event, repository, about, alert, score: rated, rating: ratingOf(rated), fixedIn }
}

/** Whether an alert asks for a response. */
export function needsResponse({ score }: SecurityRated): boolean {
  return score >= SCORE_TO_RESPOND
}

/** What to do about an alert, and by when. */
export function planResponse({
  event,
  repository,
  about,
  alert,
  rating,
  fixedIn,
}: SecurityRated): SecurityResponsePlanned {
  return { repository, alert, rating, dueDays: DUE_DAYS[rating], step: stepOf(event, about, fixedIn) }
}

const EVENTS: readonly SecurityEvent[] = [
  "dependabot_alert",
  "repository_vulnerability_alert",
  "security_advisory",
  "code_scanning_alert",
  "secret_scanning_alert",
]

/** Alerts of all kinds are brought into one form and rated; for those that matter a response is planned. */
export const securityHandlers: readonly Handler[] = [
  ...EVENTS.map((event) =>
    defineHandler({
      name: `security.alert-${event}`,
      on: `github.${event}.*`,
      run: async ({ signal, emit }) => {
        await emit("security.alerted", readAlert(event, signal.data))
      },
    }),
  ),
  defineHandler<SecurityAlerted>({
    name: "security.rate",
    on: "security.alerted",
    run: async ({ signal, emit }) => {
      await emit("security.rated", rateAlert(signal.data))
    },
  }),
  defineHandler<SecurityRated>({
    name: "security.plan-response",
    on: "security.rated",
    where: (signal) => needsResponse(signal.data),
    run: async ({ signal, emit }) => {
      await emit("security.response.planned", planResponse(signal.data))
    },
  }),
]

function aboutOf(alert: JsonValue): string | null {
  return (
    textAt(alert, "dependency", "package", "name") ??
    textAt(alert, "affected_package_name") ??
    textAt(alert, "rule", "id") ??
    textAt(alert, "secret_type") ??
    textAt(listAt(alert, "vulnerabilities")[0] ?? null, "package", "name")
  )
}

/** The older kinds of alert say it by the action alone. */
function isOpen(payload: JsonValue, alert: JsonValue): boolean {
  const closed = CLOSED_STATES.has(textAt(alert, "state") ?? "") || CLOSING_ACTIONS.has(textAt(payload, "action") ?? "")
  return !closed && textAt(alert, "withdrawn_at") === null
}

/** A secret that was published has no severity at GitHub; it opens a door until it is revoked. */
function severityOf(event: SecurityEvent, alert: JsonValue, advisory: JsonValue): string | null {
  if (event === "secret_scanning_alert") return "critical"
  return (
    textAt(alert, "rule", "security_severity_level") ??
    textAt(alert, "rule", "severity") ??
    textAt(advisory, "severity")
  )
}

function fixOf(alert: JsonValue, advisory: JsonValue): string | null {
  return (
    textAt(alert, "fixed_in") ??
    textAt(alert, "security_vulnerability", "first_patched_version", "identifier") ??
    textAt(listAt(advisory, "vulnerabilities")[0] ?? null, "first_patched_version", "identifier")
  )
}

function ratingOf(score: number): Rating {
  if (score <= 0) return "none"
  if (score < 4) return "low"
  if (score < 7) return "medium"
  return score < 9 ? "high" : "critical"
}

function stepOf(event: SecurityEvent, about: string, fixedIn: string | null): string {
  if (event === "secret_scanning_alert") return `revoke the ${about} and issue another`
  if (event === "code_scanning_alert") return `correct what ${about} found`
  return fixedIn === null ? `replace ${about}, no version is without the fault` : `upgrade ${about} to ${fixedIn}`
}
