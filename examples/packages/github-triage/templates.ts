import { defineHandlerTemplate, type HandlerTemplate, type NamedCredentials } from "fleetprompt"
import { z } from "zod"
import type { GithubApi } from "../connectors/github-api.ts"
import { retryOutside } from "../connectors/outside-error.ts"
import { fillText } from "../fill-text.ts"
import { onData } from "../on-data.ts"
import { chooseLabels, chooseTeam, mentionedIssues, responsibility, rule, sizeLabel } from "./choose-labels.ts"
import { issueEvent, labelled, pullRequestEvent, pushEvent, routed } from "./events.ts"

/** Issues that one push marks at most. */
const MAX_MENTIONED = 10

const outside = { retry: retryOutside, timeoutMs: 30_000 }

/** Labels issues and pull requests, says whose they are, answers who opened them. */
export function githubTemplates(github: GithubApi): readonly HandlerTemplate[] {
  return [labelIssue(github), labelPullRequest(github), route, comment(github), followPush(github)]
}

function labelIssue(github: GithubApi): HandlerTemplate {
  return defineHandlerTemplate({
    ...outside,
    name: "github.label-issue",
    description: "Labels an issue by its words, and tells triage.labelled.",
    params: z.object({ rules: z.array(rule), fallback: z.string() }),
    run: onData(issueEvent, async ({ issue, repository }, { params, credentials, emit, abort }) => {
      const labels = chooseLabels(`${issue.title} ${issue.body ?? ""}`, params.rules, params.fallback)
      const about = { repository: repository.full_name, number: issue.number }
      await github.addLabels(about, labels, { token: await tokenOf(credentials), abort })
      await emit("triage.labelled", { ...about, kind: "issue", labels })
    }),
  })
}

function labelPullRequest(github: GithubApi): HandlerTemplate {
  return defineHandlerTemplate({
    ...outside,
    name: "github.label-pull-request",
    description: "Labels a pull request by the words of its title and its size, and tells triage.labelled.",
    params: z.object({ rules: z.array(rule), fallback: z.string() }),
    run: onData(pullRequestEvent, async ({ pull_request, repository }, { params, credentials, emit, abort }) => {
      const { number, title, additions, deletions } = pull_request
      const labels = [...chooseLabels(title, params.rules, params.fallback), sizeLabel(additions + deletions)]
      const about = { repository: repository.full_name, number }
      await github.addLabels(about, labels, { token: await tokenOf(credentials), abort })
      await emit("triage.labelled", { ...about, kind: "pull_request", labels })
    }),
  })
}

const route = defineHandlerTemplate({
  name: "github.route",
  description: "Finds the team for what was labelled, and tells triage.routed.",
  params: z.object({ teams: z.array(responsibility), fallback: z.string() }),
  run: onData(labelled, async (about, { params, emit }) => {
    await emit("triage.routed", { ...about, team: chooseTeam(about.labels, params.teams, params.fallback) })
  }),
})

function comment(github: GithubApi): HandlerTemplate {
  return defineHandlerTemplate({
    ...outside,
    name: "github.comment",
    description: "Writes a comment with data of the signal, once, and tells triage.commented.",
    params: z.object({ text: z.string() }),
    run: onData(routed, async (about, { params, credentials, emit, abort, deliveryId }) => {
      const { repository, number } = about
      const access = { token: await tokenOf(credentials), abort }
      await github.comment({ repository, number }, fillText(params.text, about), deliveryId, access)
      await emit("triage.commented", { repository, number })
    }),
  })
}

function followPush(github: GithubApi): HandlerTemplate {
  return defineHandlerTemplate({
    ...outside,
    name: "github.follow-push",
    description: "Labels the issues that pushed commits mention, and tells triage.pushed.",
    params: z.object({ label: z.string() }),
    run: onData(pushEvent, async ({ commits, ref, repository: { full_name } }, context) => {
      const { params, credentials, emit, abort } = context
      const messages = commits.map(({ message }) => message)
      const mentioned = mentionedIssues(messages, MAX_MENTIONED)
      const access = { token: await tokenOf(credentials), abort }
      for (const number of mentioned) await github.addLabels({ repository: full_name, number }, [params.label], access)
      const authors = [...new Set(commits.map(({ author }) => author.name))]
      await emit("triage.pushed", { repository: full_name, ref, commits: commits.length, authors, mentioned })
    }),
  })
}

async function tokenOf(credentials: NamedCredentials): Promise<string> {
  return (await credentials.get("github")).reveal("token")
}
