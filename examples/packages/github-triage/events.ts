import { z } from "zod"

// Of GitHub's documents only what is read here; they hold much more, and may get more.

const repository = z.object({ full_name: z.string() })

/** Of `issues` events. */
export const issueEvent = z.object({
  repository,
  issue: z.object({ number: z.number().int(), title: z.string(), body: z.string().nullable() }),
})

/** Of `pull_request` events. */
export const pullRequestEvent = z.object({
  repository,
  pull_request: z.object({
    number: z.number().int(),
    title: z.string(),
    additions: z.number().int(),
    deletions: z.number().int(),
  }),
})

/** Of `push` events. */
export const pushEvent = z.object({
  repository,
  ref: z.string(),
  commits: z.array(z.object({ message: z.string(), author: z.object({ name: z.string() }) })),
})

/** Data of `triage.labelled`. */
export const labelled = z.object({
  repository: z.string(),
  number: z.number().int(),
  kind: z.enum(["issue", "pull_request"]),
  labels: z.array(z.string()),
})

/** Data of `triage.routed`. */
export const routed = labelled.extend({ team: z.string() })
