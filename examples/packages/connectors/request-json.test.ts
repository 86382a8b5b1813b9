import { expect, onTestFinished, test } from "vitest"
import { startEndpoint } from "../../../test/support/local-endpoint.ts"
import { FAKE_TOKEN } from "../fakes/systems.ts"
import { fakeGithub } from "../fakes/fake-github.ts"
import { startFake } from "../fakes/fake-server.ts"
import { fakeSlack } from "../fakes/fake-slack.ts"
import { githubApi } from "./github-api.ts"
import { OutsideError, retryOutside } from "./outside-error.ts"
import { readRetryAfter, requestJson } from "./request-json.ts"
import { slackApi } from "./slack-api.ts"

const abort = new AbortController().signal
const access = { token: FAKE_TOKEN, abort }
const issue = { repository: "octokit/webhooks", number: 1 }

async function fake(system = fakeGithub(FAKE_TOKEN)) {
  const server = await startFake(system)
  onTestFinished(() => server.close())
  return server
}

test.each([
  ["500", { kind: "fail", status: 500 }, { status: 500, isPassing: true, retryAfterMs: null }],
  ["429", { kind: "fail", status: 429, retryAfterS: 7 }, { status: 429, isPassing: true, retryAfterMs: 7_000 }],
  ["403 until later", { kind: "fail", status: 403, retryAfterS: 1 }, { isPassing: true, retryAfterMs: 1_000 }],
  ["403 for good", { kind: "fail", status: 403 }, { status: 403, isPassing: false }],
  ["nothing", { kind: "lose-answer" }, { status: null, isPassing: true }],
] as const)("an answer of %s fails, and says whether to ask again", async (_, rule, failure) => {
  const server = await fake()
  server.tell({ path: "/repos", ...rule })
  const error: unknown = await githubApi(server.url)
    .addLabels(issue, ["bug"], access)
    .catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ name: "OutsideError", system: "GitHub", ...failure })
  expect(String(error)).not.toContain(server.url)
  expect(retryOutside.when?.(error)).toBe(failure.isPassing)
})

test("waits are those that the system asks for, else they double", () => {
  const failure = { system: "GitHub", status: 429, isPassing: true }
  const { backoff } = retryOutside
  if (typeof backoff !== "function") throw new Error("it is a function")
  expect(backoff(3, new OutsideError("", { ...failure, retryAfterMs: 7_000 }))).toBe(7_000)
  expect([1, 2, 3, 20].map((attempt) => backoff(attempt, new Error("any")))).toEqual([1_000, 2_000, 4_000, 300_000])
})

test.each([
  ["120", 120_000],
  ["0", 0],
  ["999999999", 86_400_000],
  ["Thu, 01 Jan 2026 00:01:00 GMT", 60_000],
  ["Wed, 31 Dec 2025 00:00:00 GMT", 0],
  ["soon", null],
  [null, null],
])("Retry-After %s is %s ms", (text, ms) => {
  expect(readRetryAfter(text, Date.parse("2026-01-01T00:00:00Z"))).toBe(ms)
})

test("an answer that does not end, or is no JSON, or leads elsewhere is refused", async () => {
  const endless = await startEndpoint((response) => void response.writeHead(200).end("x".repeat(1_048_577)))
  const prose = await startEndpoint((response) => void response.end("<html>secret"))
  const elsewhere = await startEndpoint((response) => void response.writeHead(302, { location: prose.url }).end())
  onTestFinished(async () => void (await Promise.all([endless, prose, elsewhere].map((each) => each.close()))))
  const ask = (url: string) => requestJson({ system: "it", url, abort })
  await expect(ask(endless.url)).rejects.toThrow("expected at most 1048576 bytes from it, got more; ask for less")
  await expect(ask(prose.url)).rejects.toThrow(/^expected JSON from it, got something else$/)
  await expect(ask(elsewhere.url)).rejects.toMatchObject({ status: null, isPassing: true })
  expect(prose.received).toHaveLength(1)
})

test("a call that is no longer wanted ends with what ended it", async () => {
  const server = await fake()
  server.tell({ path: "/repos", kind: "hang" })
  const controller = new AbortController()
  const asked = githubApi(server.url).addLabels(issue, ["bug"], { ...access, abort: controller.signal })
  controller.abort(new Error("too late"))
  await expect(asked).rejects.toThrow("too late")
})

test("a comment is written once, also when GitHub's answer got lost", async () => {
  const server = await fake()
  const github = githubApi(server.url)
  server.tell({ path: "/repos", method: "POST", kind: "lose-answer", times: 1 })
  await expect(github.comment(issue, "Thank you!", "key-1", access)).rejects.toMatchObject({ isPassing: true })
  await github.comment(issue, "Thank you!", "key-1", access)
  await github.comment(issue, "Thank you!", "key-1", access)
  expect(server.seen().filter(({ method }) => method === "POST")).toHaveLength(1)
  await github.comment(issue, "Thank you!", "key-2", access)
  expect(server.seen().filter(({ method }) => method === "POST")).toHaveLength(2)
})

test.each(["../../admin", "octokit/..", "octokit", "a/b/c", "a b/c", "octokit/webhooks?x"])(
  "%j becomes no part of an address",
  async (repository) => {
    const server = await fake()
    await expect(githubApi(server.url).addLabels({ repository, number: 1 }, ["bug"], access)).rejects.toThrow(
      "expected owner/name as the repository, got something else",
    )
    expect(server.seen()).toEqual([])
  },
)

test("what Slack refuses fails, for good where it says so, and facts mention nobody", async () => {
  const server = await fake(fakeSlack(FAKE_TOKEN))
  const slack = slackApi(server.url)
  const message = { channel: "#sales", text: "<!channel> & <https://evil.example|here>" }
  await expect(slack.post(message, { token: "wrong", abort })).rejects.toMatchObject({
    message: "expected Slack to take the message, got invalid_auth; see Slack's errors of chat.postMessage",
    isPassing: false,
  })
  expect(await slack.post(message, access)).toBe("1700000000.000001")
  expect(server.seen().at(-1)?.body).toEqual({
    channel: "#sales",
    text: "&lt;!channel&gt; &amp; &lt;https://evil.example|here&gt;",
  })
})
