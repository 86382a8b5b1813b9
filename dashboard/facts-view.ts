import type { SignalDetail } from "./api.ts"
import { type Child, element, timeElement } from "./dom.ts"
import { addressOf, signalHash } from "./place.ts"
import { localTime } from "./time.ts"

/** What every signal has, as terms and their values. */
export function factsView(detail: SignalDetail): HTMLElement {
  const { signal, metadata } = detail
  const filter = addressOf({ pattern: signal.type, selected: signal.id })
  return list([
    ["Id", code(signal.id)],
    ["Time", timeElement(signal.time, `${localTime(signal.time)} (${signal.time})`)],
    ["Subject", code(signal.subject)],
    ["Source", code(signal.source)],
    ["Type", element("a", { href: filter, "data-pattern": signal.type }, `show only ${signal.type}`)],
    ["Caused by", signalLink(metadata.causation_id)],
    ["First cause", metadata.correlation_id === signal.id ? null : signalLink(metadata.correlation_id)],
    ["Visible to", detail.visibility === "admin_only" ? "admins and owners only" : "all members"],
  ])
}

/** What keeps a fact from being stored twice, and what else the platform noted. */
export function identityView({ dedupeKey, sourceEventId, insertedAt }: SignalDetail): HTMLElement {
  return list([
    ["Dedupe key", code(dedupeKey)],
    ["Source's event id", code(sourceEventId)],
    ["Stored", insertedAt === undefined ? null : timeElement(insertedAt, localTime(insertedAt))],
  ])
}

function list(facts: readonly (readonly [string, Child])[]): HTMLElement {
  const known = facts.filter(([, value]) => value !== null && value !== undefined)
  const entries = known.map(([term, value]) => element("div", {}, element("dt", {}, term), element("dd", {}, value)))
  return element("dl", { class: "facts" }, ...entries)
}

function code(text: string | null | undefined): HTMLElement | null {
  return text === null || text === undefined ? null : element("code", { class: "outside" }, text)
}

function signalLink(id: string | null | undefined): HTMLElement | null {
  return id === null || id === undefined ? null : element("a", { href: signalHash(id), class: "id" }, id)
}
