import type { JsonValue } from "fleetprompt"
import { requestJson } from "./request-json.ts"

/** Who knows something about a house. */
export const PROPERTY_SOURCES = ["zillow", "realtor", "public_records", "tax_records", "permits"] as const

/** One of them. */
export type PropertySource = (typeof PROPERTY_SOURCES)[number]

/** How one of them is asked. */
export interface PropertyQuestion {
  readonly source: PropertySource
  readonly address: string
  /** Left out for sources that are open to all. */
  readonly token?: string
  readonly abort: AbortSignal
}

/** The five sources. @throws OutsideError */
export interface PropertyApi {
  readonly ask: (question: PropertyQuestion) => Promise<JsonValue>
}

/** The sources at their addresses. */
export function propertyApi(urls: Readonly<Record<PropertySource, string>>): PropertyApi {
  return {
    ask: ({ source, address, ...access }) =>
      requestJson({ system: source, url: `${urls[source]}?${String(new URLSearchParams({ address }))}`, ...access }),
  }
}
