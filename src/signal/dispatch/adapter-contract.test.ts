import { expect, test } from "vitest"
import { type Answer, startEndpoint } from "../../../test/support/local-endpoint.ts"
import { consoleAdapter } from "./adapter-console.ts"
import { httpAdapter } from "./adapter-http.ts"
import { loggerAdapter } from "./adapter-logger.ts"
import { namedAdapter } from "./adapter-named.ts"
import { noopAdapter } from "./adapter-noop.ts"
import { topicAdapter } from "./adapter-topic.ts"
import { webhookAdapter } from "./adapter-webhook.ts"
import { fromHttp } from "../codecs/codec-http.ts"
import type { DispatchContext } from "./dispatch-adapter.ts"
import { dispatchContract, type DispatchFixture } from "./dispatch-contract.ts"
import type { Signal } from "../signal.ts"
import { createTargets } from "./targets.ts"
import { createTopics } from "./topics.ts"

const runner = { test, expect }

/** Ends when it is told to. */
const heed = (_: Signal, { abort }: DispatchContext) =>
  new Promise((_, reject) => abort.addEventListener("abort", () => reject(new Error("told to"))))
const fail = () => {
  throw new Error("mine")
}

dispatchContract(
  "named",
  () => {
    const targets = createTargets()
    const heard: Signal[] = []
    targets.register("billing", (signal) => heard.push(signal))
    targets.register("slow", heed)
    targets.register("broken", fail)
    return {
      adapter: namedAdapter({ targets }),
      options: { target: "billing" },
      invalid: [{}, { target: 7 }],
      received: () => heard,
      failing: { target: "broken" },
      hanging: { target: "slow" },
    }
  },
  runner,
)

dispatchContract(
  "topic",
  () => {
    const topics = createTopics()
    const heard: Signal[] = []
    topics.subscribe("leads", (signal) => heard.push(signal))
    topics.subscribe("slow", heed)
    topics.subscribe("broken", fail)
    return {
      adapter: topicAdapter({ topics }),
      options: { topic: "leads" },
      invalid: [{}, { topic: 7 }],
      received: () => heard,
      failing: { topic: "broken" },
      hanging: { topic: "slow" },
    }
  },
  runner,
)

dispatchContract(
  "logger",
  () => {
    const logger = { debug: fail, info: () => {}, warn: () => {}, error: () => {} }
    return {
      adapter: loggerAdapter({ logger }),
      options: { level: "info", data: true },
      invalid: [{ level: "loud" }],
      failing: { level: "debug" },
    }
  },
  runner,
)

dispatchContract(
  "console",
  () => ({ adapter: consoleAdapter({ print: () => {} }), options: { data: false }, invalid: [{ data: "no" }] }),
  runner,
)

dispatchContract("noop", () => ({ adapter: noopAdapter(), options: { url: "https://a.example" } }), runner)

/** An endpoint that takes signals at `/ok`, refuses them at `/no` and never answers at `/slow`. */
async function endpointFixture(): Promise<
  Required<Pick<DispatchFixture, "received" | "dispose">> & { readonly at: (path: string) => string }
> {
  const taken: Signal[] = []
  const answer: Answer = (response, request) => {
    if (request.url.startsWith("/slow")) return
    if (request.url.startsWith("/ok")) taken.push(...[fromHttp(request)].flat())
    response.writeHead(request.url.startsWith("/ok") ? 204 : 503).end()
  }
  const endpoint = await startEndpoint(answer)
  return { at: (path) => new URL(path, endpoint.url).href, received: () => taken, dispose: endpoint.close }
}

const PATH_SECRET = "t0k3n-in-the-path"
const KEY = "k3y-in-a-header"
const SECRET = `whsec_${Buffer.alloc(32, 9).toString("base64")}`

dispatchContract(
  "http",
  async () => {
    const { at, ...endpoint } = await endpointFixture()
    const url = at(`/ok/${PATH_SECRET}`)
    const headers = { "x-key": KEY }
    return {
      ...endpoint,
      adapter: httpAdapter(),
      options: { url, headers },
      invalid: [{ url: `https://me:${PATH_SECRET}@a.example` }, { url, headers: { "x-key": `${KEY}\n` } }],
      secrets: [PATH_SECRET, KEY],
      failing: { url: at(`/no/${PATH_SECRET}`), headers, retry: { maxAttempts: 1 } },
      hanging: { url: at("/slow") },
    }
  },
  runner,
)

dispatchContract(
  "webhook",
  async () => {
    const { at, ...endpoint } = await endpointFixture()
    const url = at(`/ok/${PATH_SECRET}`)
    return {
      ...endpoint,
      adapter: webhookAdapter(),
      options: { url, secret: SECRET },
      invalid: [
        { url },
        { url, secret: KEY },
        { url, secret: [SECRET, KEY] },
        { url, secret: SECRET, signing: "none" },
      ],
      secrets: [PATH_SECRET, KEY, SECRET],
      failing: { url: at(`/no/${PATH_SECRET}`), secret: SECRET, retry: { maxAttempts: 1 } },
      hanging: { url: at("/slow"), secret: SECRET },
    }
  },
  runner,
)
