import { z } from "zod"
import { OutsideError } from "./outside-error.ts"
import { readAnswer } from "./read-answer.ts"
import { requestJson } from "./request-json.ts"

/** The part of Slack's Web API that the templates use. */
export interface SlackApi {
  /**
   * Writes a message, and answers its `ts`, which Slack names it by. Slack knows no key for repeats: when its answer is
   * lost, the message may come twice.
   *
   * @throws OutsideError
   */
  readonly post: (
    message: { readonly channel: string; readonly text: string },
    access: { readonly token: string; readonly abort: AbortSignal },
  ) => Promise<string>
}

const answer = z.union([
  z.object({ ok: z.literal(true), ts: z.string() }),
  z.object({ ok: z.literal(false), error: z.string() }),
])
/** Refusals that pass, in Slack's words. */
const PASSING = new Set(["internal_error", "fatal_error", "request_timeout", "service_unavailable", "ratelimited"])

/** Slack at an address. */
export function slackApi(url = "https://slack.com/api"): SlackApi {
  return {
    post: async ({ channel, text }, access) => {
      const body = { channel, text: escaped(text) }
      const call = { system: "Slack", url: `${url}/chat.postMessage`, body, ...access }
      const got = readAnswer("Slack", answer, await requestJson(call))
      if (got.ok) return got.ts
      throw refused(got.error)
    },
  }
}

/** Facts from outside must not mention people or channels, nor make links: what Slack would read as control is text. */
function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
}

function refused(error: string): OutsideError {
  const known = /^[a-z_]{1,60}$/.test(error) ? error : "something else"
  const failure = { system: "Slack", status: 200, retryAfterMs: null, isPassing: PASSING.has(error) }
  return new OutsideError(
    `expected Slack to take the message, got ${known}; see Slack's errors of chat.postMessage`,
    failure,
  )
}
