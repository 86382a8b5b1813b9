import { requestJson } from "./request-json.ts"

/** Comments of an issue that are looked through for ours; GitHub gives no more on a page. */
const COMMENTS = 100

/** Which issue or pull request; GitHub numbers both in one row. */
export interface GithubIssue {
  /** `owner/name`. */
  readonly repository: string
  readonly number: number
}

/** With what GitHub is asked. */
export interface GithubAccess {
  readonly token: string
  readonly abort: AbortSignal
}

/** The part of GitHub's REST API that the templates use. @throws OutsideError */
export interface GithubApi {
  /** Those that it has already stay. */
  readonly addLabels: (issue: GithubIssue, labels: readonly string[], access: GithubAccess) => Promise<void>
  /** Writes a comment once: `key` stands in it, unseen, and one that is there already is not written again. */
  readonly comment: (issue: GithubIssue, text: string, key: string, access: GithubAccess) => Promise<void>
}

/** GitHub at an address. */
export function githubApi(url = "https://api.github.com"): GithubApi {
  const call = ({ repository, number }: GithubIssue, what: string, { token, abort }: GithubAccess) => ({
    system: "GitHub",
    url: `${url}/repos/${repositoryPath(repository)}/issues/${number}/${what}`,
    token,
    abort,
  })
  return {
    addLabels: async (issue, labels, access) => {
      await requestJson({ ...call(issue, "labels", access), body: { labels } })
    },
    comment: async (issue, text, key, access) => {
      const mark = `<!-- fleetprompt ${key} -->`
      const there = await requestJson(call(issue, `comments?per_page=${COMMENTS}`, access))
      if (JSON.stringify(there).includes(mark)) return
      await requestJson({ ...call(issue, "comments", access), body: { body: `${text}\n\n${mark}` } })
    },
  }
}

/** The name comes with the event: only what GitHub allows may become part of an address. */
function repositoryPath(repository: string): string {
  if (/^[\w.-]+\/[\w.-]+$/.test(repository) && !/(^|\/)\.{1,2}($|\/)/.test(repository)) return repository
  throw new TypeError("expected owner/name as the repository, got something else")
}
