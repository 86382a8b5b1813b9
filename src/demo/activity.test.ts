import { expect, it } from "vitest"
import { recordActivity } from "./activity.ts"

it("is one line about an event", () => {
  const payload = { repository: { full_name: "octokit/webhooks" }, sender: { login: "octocat", type: "User" } }
  expect(recordActivity("github.issues.opened", payload)).toEqual({
    repository: "octokit/webhooks",
    area: "issues",
    event: "issues",
    action: "opened",
    actor: "octocat",
    actorKind: "person",
  })
  expect(recordActivity("github.push", payload)).toMatchObject({ area: "code", action: null })
})

it.each([
  ["github.pull_request_review.submitted", "review"],
  ["github.issue_comment.created", "issues"],
  ["github.check_run.completed", "checks"],
  ["github.release.published", "code"],
  ["github.security_advisory.published", "security"],
  ["github.discussion.created", "conversation"],
  ["github.star.created", "community"],
  ["github.projects_v2_item.created", "planning"],
  ["github.installation.created", "administration"],
  ["github.something_new", "administration"],
])("%s belongs to %s", (type, area) => {
  expect(recordActivity(type, {}).area).toBe(area)
})

it.each([
  [{ login: "octocat", type: "User" }, "person"],
  [{ login: "dependabot[bot]", type: "User" }, "bot"],
  [{ login: "octo-app", type: "Bot" }, "bot"],
  [{ login: "octokit", type: "Organization" }, "organization"],
  [{}, "nobody"],
])("the sender %j is a %s", (sender, actorKind) => {
  expect(recordActivity("github.push", { sender })).toMatchObject({ actorKind })
})
