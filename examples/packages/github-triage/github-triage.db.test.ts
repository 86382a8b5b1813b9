import { randomUUID } from "node:crypto"
import { readFileSync } from "node:fs"
import { sign } from "@octokit/webhooks-methods"
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest"
import { exampleFleet, type ExampleFleet } from "../../../test/support/example-rig.ts"
import { testDatabase, type TestDatabase } from "../../../test/support/test-database.ts"
import { testSlug } from "../../../test/support/test-fleet.ts"
import { githubWebhook } from "../../../src/connectors/github.ts"
import { createFetchHandler } from "../../../src/server/fetch-handler.ts"
import type { JsonObject } from "../../../src/signal/json.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const SECRET = "only for these tests"
const ISSUE = "/repos/Codertocat/Hello-World/issues/1"

/** One of GitHub's own documents. */
function fixture(name: string): JsonObject {
  return JSON.parse(readFileSync(new URL(`./fixtures/${name}.json`, import.meta.url), "utf8")) as JsonObject
}

interface Triage extends ExampleFleet {
  /** Posts an event as GitHub does, and waits until all that follows is done. */
  readonly post: (event: string, payload: JsonObject, delivery?: string) => Promise<void>
}

async function triaging(config: JsonObject = {}): Promise<Triage> {
  const rig = await exampleFleet(db.database, { webhooks: [githubWebhook({ tenant: testSlug(), secret: SECRET })] })
  await rig.install("github-triage", { credentials: { github: await rig.credential("github") }, config })
  const handler = createFetchHandler(rig.fleet, { authenticate: () => undefined })
  onTestFinished(() => handler.close())
  return {
    ...rig,
    post: async (event, payload, delivery = randomUUID()) => {
      const body = JSON.stringify(payload)
      const headers = {
        "content-type": "application/json",
        "x-github-event": event,
        "x-github-delivery": delivery,
        "x-hub-signature-256": await sign(SECRET, body),
      }
      const request = new Request("http://localhost/v1/webhooks/github", { method: "POST", headers, body })
      expect((await handler.fetch(request)).status).toBeLessThan(300)
      await rig.fleet.drain()
    },
  }
}

/** What GitHub was told to do: the paths below `/repos`, with what was sent. */
function done({ fakes }: ExampleFleet): readonly (readonly [path: string, body: unknown])[] {
  return fakes.github
    .seen()
    .filter(({ method }) => method === "POST")
    .map(({ path, body }) => [path, body])
}

test("an issue that GitHub tells of is labelled, routed and answered", async () => {
  const triage = await triaging()
  await triage.post("issues", fixture("issues.opened"))
  expect(await triage.dataOf("triage.routed")).toEqual([
    { repository: "Codertocat/Hello-World", number: 1, kind: "issue", labels: ["documentation"], team: "docs" },
  ])
  expect(done(triage)).toEqual([
    [`${ISSUE}/labels`, { labels: ["documentation"] }],
    [`${ISSUE}/comments`, { body: expect.stringMatching(/^Thank you! The docs team will look at this\.\n\n<!-- /) }],
  ])
  const { signals } = await triage.tenant.signals.list({ limit: 50, pattern: "triage.*", visibilities: ["internal"] })
  const types = signals.map(({ type }) => type).toReversed()
  expect(types).toEqual(["triage.labelled", "triage.routed", "triage.commented"])
})

test("the same delivery twice is one issue", async () => {
  const triage = await triaging()
  const delivery = randomUUID()
  await triage.post("issues", fixture("issues.opened"), delivery)
  await triage.post("issues", fixture("issues.opened"), delivery)
  expect(await triage.dataOf("triage.labelled")).toHaveLength(1)
  expect(done(triage)).toHaveLength(2)
})

test("the tenant's own rules, teams and words are what counts", async () => {
  const triage = await triaging({
    rules: [{ label: "kind/text", words: ["spelling"] }],
    teams: [{ label: "kind/text", team: "writers" }],
    comment: "{data.team}: {data.labels}",
  })
  await triage.post("issues", fixture("issues.opened"))
  expect(done(triage)).toMatchObject([
    [`${ISSUE}/labels`, { labels: ["kind/text"] }],
    [`${ISSUE}/comments`, { body: expect.stringMatching(/^writers: kind\/text\n/) }],
  ])
})

test("a pull request is labelled by its title and its size", async () => {
  const triage = await triaging()
  await triage.post("pull_request", fixture("pull_request.opened"))
  expect(await triage.dataOf("triage.routed")).toMatchObject([
    { number: 2, kind: "pull_request", labels: ["documentation", "size/XS"], team: "docs" },
  ])
})

test("a push to a branch that is followed marks the issues that its commits mention; others are left alone", async () => {
  const triage = await triaging()
  const push = fixture("push")
  const [commit] = push["commits"] as readonly JsonObject[]
  const commits = [{ ...commit, message: "Say it better, closes #1 and #7" }, commit ?? {}]
  await triage.post("push", { ...push, commits })
  expect(await triage.dataOf("triage.pushed")).toEqual([
    {
      repository: "Codertocat/Hello-World",
      ref: "refs/heads/master",
      commits: 2,
      authors: ["Codertocat"],
      mentioned: [1, 7],
    },
  ])
  expect(done(triage).map(([path]) => path)).toEqual([
    `${ISSUE}/labels`,
    "/repos/Codertocat/Hello-World/issues/7/labels",
  ])
  await triage.post("push", { ...push, ref: "refs/tags/simple-tag", commits })
  await triage.post("push", { ...push, deleted: true, commits })
  expect(await triage.dataOf("triage.pushed")).toHaveLength(1)
})

test("an answer of GitHub that gets lost makes no second comment", async () => {
  const triage = await triaging()
  triage.fakes.github.tell({ path: `${ISSUE}/comments`, method: "POST", kind: "lose-answer", times: 1 })
  await triage.post("issues", fixture("issues.opened"))
  expect(done(triage).map(([path]) => path)).toEqual([`${ISSUE}/labels`, `${ISSUE}/comments`])
  expect(await triage.dataOf("triage.commented")).toHaveLength(1)
})

test("an event of another shape than GitHub's ends as cancelled, and nothing is asked of GitHub", async () => {
  const triage = await triaging()
  const { deliveries } = await triage.follow("github.issues.opened", { issue: { number: "one" } })
  expect(deliveries).toMatchObject([{ handler: "github-triage.label-issue", status: "cancelled" }])
  expect(triage.fakes.github.seen()).toEqual([])
})
