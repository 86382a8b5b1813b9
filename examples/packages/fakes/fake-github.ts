import type { JsonValue } from "fleetprompt"
import type { FakeRequest, FakeSystem } from "./fake-server.ts"

const ISSUE = /^\/repos\/([\w.-]+\/[\w.-]+)\/issues\/(\d+)\/(labels|comments)$/

/** Plays the part of GitHub that labels and comments, and remembers both. */
export function fakeGithub(token: string): FakeSystem {
  const labels = new Map<string, Set<string>>()
  const comments = new Map<string, string[]>()
  const label = (issue: string, request: FakeRequest): JsonValue => {
    const there = labels.get(issue) ?? new Set()
    labels.set(issue, there)
    if (request.method === "POST") for (const name of textsIn(request.body, "labels")) there.add(name)
    return [...there].map((name) => ({ name }))
  }
  const comment = (issue: string, request: FakeRequest): JsonValue => {
    const there = comments.get(issue) ?? []
    comments.set(issue, there)
    if (request.method === "POST") there.push(...textsIn(request.body, "body"))
    return there.map((body, id) => ({ id: id + 1, body }))
  }
  return {
    name: "github",
    answer: (request) => {
      const [, repository = "", number = "", what] = ISSUE.exec(request.path) ?? []
      if (what === undefined) return undefined
      if (request.token !== token) return { status: 401, body: { message: "Bad credentials" } }
      const issue = `${repository}#${number}`
      return { body: what === "labels" ? label(issue, request) : comment(issue, request) }
    },
  }
}

function textsIn(body: JsonValue, key: string): readonly string[] {
  const value = Object(body) as Readonly<Record<string, unknown>>
  return [value[key]].flat().filter((each) => typeof each === "string")
}
