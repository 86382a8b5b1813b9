import type { Context, MiddlewareHandler } from "hono"
import { matchedRoutes } from "hono/route"
import { clientAddressOf, networkOf } from "../access/client-address.ts"
import { NO_TENANT } from "../access/policy.ts"
import type { Principal } from "../access/principal.ts"
import type { LimitVerdict, RequestLimit } from "../access/request-limiter.ts"
import { FleetPromptError } from "../errors.ts"
import { problemOf } from "./problem.ts"
import { checkRules, type RequestRule } from "./request-limits.ts"

/** What counts, for example a running fleet. */
export interface LimiterSource {
  readonly limiter: {
    readonly take: (limit: RequestLimit, subject: string, cost?: number) => Promise<LimitVerdict>
  }
}

/** The middlewares of a set of rules. */
export interface RequestLimits {
  /** Stands before everything that finds out who is calling. */
  readonly byAddress: MiddlewareHandler
  /** Stands before webhooks. */
  readonly webhooks: MiddlewareHandler
  /** Stands behind what found out who is calling. */
  readonly byCaller: MiddlewareHandler
}

const UNAUTHENTICATED = 401

/**
 * Holds requests to limits. Each answer says in `RateLimit-Policy` and `RateLimit` (the IETF draft) which limits there
 * are and what is left; one that is refused is a 429 with `Retry-After`.
 *
 * @throws FleetPromptError `config_invalid`
 */
export function requestLimits(source: LimiterSource, rules: readonly RequestRule[]): RequestLimits {
  checkRules(rules)
  const ofAddress = rules.filter(({ by, of }) => by === "address" && of !== "webhooks")
  return {
    byAddress: limiting(source, ofAddress),
    webhooks: limiting(
      source,
      rules.filter(({ of }) => of === "webhooks"),
    ),
    byCaller: limiting(
      source,
      rules.filter(({ by, of }) => by !== "address" && of !== "webhooks"),
    ),
  }
}

interface Counted {
  readonly rule: RequestRule
  readonly subject: string
}

function limiting({ limiter }: LimiterSource, rules: readonly RequestRule[]): MiddlewareHandler {
  return async (context, next) => {
    const counted = rules.flatMap((rule) => {
      const subject = subjectOf(rule, context)
      return subject === undefined ? [] : [{ rule, subject }]
    })
    const verdicts = await Promise.all(
      counted.map(({ rule, subject }) => limiter.take(rule, subject, rule.of === "refused" ? 0 : 1)),
    )
    const tooMany = verdicts.filter(({ allowed }) => !allowed)
    if (tooMany.length > 0) return refusal(tooMany, verdicts)
    await next()
    if (context.res.status === UNAUTHENTICATED) await countRefused(limiter, counted)
    tell(context.res.headers, verdicts)
    return undefined
  }
}

async function countRefused(limiter: LimiterSource["limiter"], counted: readonly Counted[]): Promise<void> {
  const refused = counted.filter(({ rule }) => rule.of === "refused")
  await Promise.all(refused.map(({ rule, subject }) => limiter.take(rule, subject, 1)))
}

/** Whom a rule counts a request for; undefined when it is none of its requests. */
function subjectOf(rule: RequestRule, context: Context): string | undefined {
  if (!isOf(rule, context.req.method)) return undefined
  const subject = whoOf(rule, context)
  if (subject === undefined) return undefined
  return rule.perRoute ? `${subject} ${context.req.method} ${routeOf(context)}` : subject
}

function isOf({ of }: RequestRule, method: string): boolean {
  const isRead = method === "GET" || method === "HEAD" || method === "OPTIONS"
  return of === "reads" ? isRead : of === "changes" ? !isRead : true
}

function whoOf({ by }: RequestRule, context: Context): string | undefined {
  if (by === "address") {
    const address = clientAddressOf(context.req.raw)
    return address === undefined ? undefined : networkOf(address)
  }
  // `authentication` stands before and sets it; what has no caller is not counted by caller.
  const principal = context.get("principal") as Principal | undefined
  if (!principal) return undefined
  // Those who have no tenant, or look into none, have nothing in common.
  if (by === "tenant") return principal.tenant === NO_TENANT ? undefined : principal.tenant
  return `${principal.tenant} ${principal.kind} ${principal.id}`
}

/** The pattern of the route that will answer, so that `/signals/1` and `/signals/2` are one. */
function routeOf(context: Context): string {
  return matchedRoutes(context).findLast(({ path }) => !path.endsWith("*"))?.path ?? "other"
}

function refusal(tooMany: readonly LimitVerdict[], verdicts: readonly LimitVerdict[]): Response {
  const longest = Math.max(...tooMany.map(({ resetMs }) => resetMs))
  const names = tooMany.map(({ limit }) => `${limit.limit} in ${seconds(limit.windowMs)} s (${limit.name})`)
  const response = problemOf(
    new FleetPromptError(
      "rate_limited",
      `expected at most ${names.join(" and ")} requests, got more; try again in ${seconds(longest)} s`,
    ),
  )
  response.headers.set("retry-after", String(seconds(longest)))
  tell(response.headers, verdicts)
  return response
}

/** One limiter may stand behind another: each adds its own. */
function tell(headers: Headers, verdicts: readonly LimitVerdict[]): void {
  for (const { limit, remaining, resetMs } of verdicts) {
    headers.append("ratelimit-policy", `"${limit.name}";q=${limit.limit};w=${seconds(limit.windowMs)}`)
    headers.append("ratelimit", `"${limit.name}";r=${remaining};t=${seconds(resetMs)}`)
  }
}

function seconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1_000))
}
