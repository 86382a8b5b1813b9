import { FleetPromptError, isFleetPromptError } from "../../errors.ts"
import { type Breaker, type BreakerVerdict, createBreaker } from "./breaker.ts"
import { type Clock, systemClock } from "../clock.ts"
import { deadline, orAborted } from "./deadline.ts"
import type { DispatchContext } from "./dispatch-adapter.ts"
import { DispatchError, isDispatchError } from "./dispatch-error.ts"
import type { HttpHeaders, HttpTarget } from "./http-options.ts"
import { hostOf, type HttpFetch, sendOnce } from "./http-request.ts"
import { retry, type RetryVerdict } from "./retry.ts"

/** How `http` and `webhook` are set up. */
export interface HttpSettings {
  /** Sends a request. Default: the platform's `fetch`. */
  readonly fetch?: HttpFetch
  /**
   * Asked before each try whether anything may be sent to this url: the place for a policy on private
   * networks. Default: everything is allowed.
   */
  readonly allowUrl?: (url: URL) => boolean | Promise<boolean>
  /** Default: one of its own, with the defaults of `createBreaker`. */
  readonly breaker?: Breaker
  /** Default: the platform's. */
  readonly clock?: Clock
  /** 0 up to 1, for the waits between tries. Default `Math.random`. */
  readonly random?: () => number
  /** Most bytes read of an answer's body, after decompression. Default 65,536. */
  readonly maxResponseBytes?: number
  /** Longest time to read an answer's body, milliseconds. Default 1,000. */
  readonly responseBodyMs?: number
}

/** What is sent: one body, and headers that are made anew for each try. */
export interface HttpDraft {
  readonly body: string | Uint8Array<ArrayBuffer>
  readonly headers: () => HttpHeaders | Promise<HttpHeaders>
}

/** Sends a draft, with retries, until it arrived or there is nothing more to try. */
export type HttpDelivery = (draft: HttpDraft, target: HttpTarget, context: DispatchContext) => Promise<void>

type Wiring = Required<HttpSettings>

/**
 * What `http` and `webhook` have in common: egress policy, breaker, time limits, retries.
 *
 * @throws FleetPromptError `config_invalid`
 */
export function createHttpDelivery(settings: HttpSettings): HttpDelivery {
  const wiring = wire(settings)
  return async (draft, target, context) => {
    try {
      await deliver(draft, target, context, wiring)
    } catch (error) {
      throw isFleetPromptError(error) ? error : cutShort(target, error)
    }
  }
}

function deliver(draft: HttpDraft, target: HttpTarget, context: DispatchContext, wiring: Wiring): Promise<void> {
  const { clock, random } = wiring
  return retry((abort) => tryOnce(draft, target, abort, context.abort, wiring), {
    policy: target.retry,
    abort: context.abort,
    clock,
    random,
    verdict: (error) => verdictOn(error, target, wiring),
    expired: () => tooSlow(target, target.retry.totalMs),
  })
}

async function tryOnce(
  draft: HttpDraft,
  target: HttpTarget,
  outer: AbortSignal,
  caller: AbortSignal,
  wiring: Wiring,
): Promise<void> {
  const expired = () => tooSlow(target, target.timeoutMs)
  const { abort, end } = deadline({ outer, ms: target.timeoutMs, clock: wiring.clock, expired })
  try {
    await orAborted(checkAllowed(target, wiring), abort)
    const { url, method, maxRetryAfterMs } = target
    const headers = await orAborted(Promise.resolve(draft.headers()), abort)
    const send = () => sendOnce({ url, method, headers, body: draft.body, maxRetryAfterMs }, wiring, abort)
    await wiring.breaker.run(url, send, (error) => verdictOfEndpoint(error, caller))
  } finally {
    end()
  }
}

/** A caller who goes away says nothing about the endpoint; one whose time is over waited for it in vain. */
function verdictOfEndpoint(error: unknown, caller: AbortSignal): BreakerVerdict {
  const failed = isFleetPromptError(error) && error.code === "dispatch_failed"
  if (!caller.aborted) return failed ? "failing" : "alive"
  const isTimeout = error instanceof Error && error.name === "TimeoutError"
  return failed || isTimeout ? "failing" : "unknown"
}

function verdictOn(error: unknown, target: HttpTarget, wiring: Wiring): RetryVerdict {
  if (!isDispatchError(error) || error.code !== "dispatch_failed") return { kind: "stop" }
  // The next try would be refused without being sent: the failure at hand tells more.
  if (wiring.breaker.state(target.url).kind === "open") return { kind: "stop" }
  const atLeastMs = error.retryAtMs === undefined ? 0 : error.retryAtMs - wiring.clock.now()
  return { kind: "again", atLeastMs }
}

async function checkAllowed({ url }: HttpTarget, { allowUrl }: Wiring): Promise<void> {
  if (await allowUrl(new URL(url))) return
  throw new DispatchError(
    "dispatch_refused",
    `expected a url that allowUrl allows, got one at ${hostOf(url)}; use another or change the policy`,
  )
}

function tooSlow({ url }: HttpTarget, ms: number): DispatchError {
  return new DispatchError(
    "dispatch_failed",
    `expected ${hostOf(url)} to take the signal within ${ms} ms, but it did not`,
  )
}

function cutShort({ url }: HttpTarget, cause: unknown): DispatchError {
  return new DispatchError(
    "dispatch_failed",
    `expected to send to ${hostOf(url)}, but it was cut short; see the cause`,
    {
      cause,
    },
  )
}

function wire(settings: HttpSettings): Wiring {
  const { clock = systemClock } = settings
  return {
    fetch: settings.fetch ?? ((url, init) => fetch(url, init)),
    allowUrl: settings.allowUrl ?? (() => true),
    breaker: settings.breaker ?? createBreaker({ now: clock.now }),
    clock,
    random: settings.random ?? Math.random,
    maxResponseBytes: count("maxResponseBytes", settings.maxResponseBytes ?? 65_536),
    responseBodyMs: count("responseBodyMs", settings.responseBodyMs ?? 1_000),
  }
}

function count(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new FleetPromptError("config_invalid", `expected a whole number from 0 as ${name}, got ${value}`, {
    path: name,
  })
}
