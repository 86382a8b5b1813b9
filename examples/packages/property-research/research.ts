import type { JsonValue, NamedCredentials } from "fleetprompt"
import { OutsideError } from "../connectors/outside-error.ts"
import { PROPERTY_SOURCES, type PropertyApi, type PropertySource } from "../connectors/property-api.ts"
import { settleAtOnce } from "./settle-at-once.ts"

/** Sources that ask for a token; the others are open to all. */
const WITH_TOKEN: ReadonlySet<PropertySource> = new Set(["zillow", "realtor"])

/** A source that did not answer, and why, for people. */
export type MissingSource = {
  readonly source: PropertySource
  readonly reason: string
}

/** What was found out about a house. */
export type Research = {
  readonly address: string
  /** What each source that answered said. */
  readonly found: Readonly<Partial<Record<PropertySource, JsonValue>>>
  readonly missing: readonly MissingSource[]
  readonly answered: number
  readonly asked: number
}

/** How sources are asked. */
export interface ResearchOptions {
  readonly sources: readonly PropertySource[]
  /** How many are asked at once. */
  readonly maxConcurrency: number
  /** How long each may take, milliseconds. */
  readonly timeoutMs: number
  readonly abort: AbortSignal
}

/** Asks several sources about a house at once; those that fail are told beside those that answered. */
export async function researchProperty(
  address: string,
  credentials: NamedCredentials,
  api: PropertyApi,
  { sources, maxConcurrency, timeoutMs, abort }: ResearchOptions,
): Promise<Research> {
  const tasks = sources.map((source) => async (ends: AbortSignal) => {
    const token = WITH_TOKEN.has(source) ? (await credentials.get(source)).reveal("token") : undefined
    return api.ask({ source, address, abort: ends, ...(token !== undefined && { token }) })
  })
  const settled = await settleAtOnce(tasks, { limit: maxConcurrency, timeoutMs, abort })
  const answers = settled.map((result, place) => ({ source: sources[place] ?? PROPERTY_SOURCES[0], result }))
  const found = answers.flatMap(({ source, result }) =>
    result.status === "fulfilled" ? [[source, result.value] as const] : [],
  )
  const missing = answers.flatMap(({ source, result }) =>
    result.status === "rejected" ? [{ source, reason: reasonOf(result.reason, timeoutMs) }] : [],
  )
  return { address, found: Object.fromEntries(found), missing, answered: found.length, asked: sources.length }
}

/** Of errors only what holds no address, token or body. */
function reasonOf(error: unknown, timeoutMs: number): string {
  if (error instanceof OutsideError) return error.status === null ? "no answer" : `status ${error.status}`
  const { name, code } = Object(error) as { readonly name?: unknown; readonly code?: unknown }
  if (name === "TimeoutError") return `no answer within ${timeoutMs} ms`
  if (code === "credential_unknown") return "no credential was given"
  return typeof code === "string" ? code : "it failed"
}
