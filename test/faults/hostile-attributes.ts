import type { EmitOptions } from "../../src/emit/emit.ts"

/** What somebody may say of a signal beside its data, and what must become of it. */
export interface HostileAttributes {
  readonly name: string
  readonly type?: string
  readonly options: EmitOptions
  /** Where it is refused. Undefined when it must read back equal. */
  readonly refusedAt?: string
}

const LONE = "\u{1F600}".slice(0, 1)

/** Options that only code without types can give. */
function untyped(options: object): EmitOptions {
  return options
}

/** All of them. */
export const HOSTILE_ATTRIBUTES: readonly HostileAttributes[] = [
  { name: "a subject in all scripts", options: { subject: "\u05D0:\u{1F600}'\"\\;--%$1" } },
  { name: "a long subject", options: { subject: "s".repeat(1_000) } },
  { name: "a time to the nanosecond in another zone", options: { time: "2024-02-29T23:59:59.123456789+05:30" } },
  { name: "a key with quotes", options: { dedupeKey: "k'\"\\ \u{1F600}" } },
  { name: "a provider's id with quotes", options: { source: "/a?b=c%20d", sourceEventId: "e'\"\\" } },
  { name: "extensions", options: { extensions: { text: "\u{1F600}'\"", yes: true, count: -2_147_483_648 } } },
  { name: "half a character in the subject", options: { subject: LONE }, refusedAt: "subject" },
  { name: "U+0000 in the subject", options: { subject: "a\u0000" }, refusedAt: "subject" },
  { name: "U+0000 in the key", options: { dedupeKey: "a\u0000" }, refusedAt: "dedupeKey" },
  { name: "half a character in the key", options: { dedupeKey: LONE }, refusedAt: "dedupeKey" },
  { name: "an empty key", options: { dedupeKey: "" }, refusedAt: "dedupeKey" },
  { name: "a key that is too long", options: { dedupeKey: "k".repeat(501) }, refusedAt: "dedupeKey" },
  { name: "a key that is a number", options: untyped({ dedupeKey: 7 }), refusedAt: "dedupeKey" },
  { name: "a provider's id with U+0000", options: { sourceEventId: "\u0000" }, refusedAt: "sourceEventId" },
  { name: "an empty source", options: { source: "" }, refusedAt: "source" },
  { name: "a source with a space", options: { source: "a b" } },
  { name: "a day that is none", options: { time: "2023-02-29T00:00:00Z" }, refusedAt: "time" },
  { name: "a time that is a date", options: untyped({ time: new Date(0) }), refusedAt: "time" },
  { name: "an extension's name in capitals", options: { extensions: { Text: "x" } }, refusedAt: "Text" },
  { name: "an extension that is taken", options: { extensions: { tenant: "other" } }, refusedAt: "extensions.tenant" },
  { name: "an extension that is an object", options: untyped({ extensions: { a: {} } }), refusedAt: "a" },
  { name: "an empty type", type: "", options: {}, refusedAt: "type" },
  { name: "a type with an empty segment", type: "a..b", options: {}, refusedAt: "type" },
  { name: "a type with a wildcard", type: "a.*", options: {}, refusedAt: "type" },
  { name: "a type with quotes", type: "a.b'; --", options: {}, refusedAt: "type" },
  { name: "another visibility", options: untyped({ visibility: "public" }), refusedAt: "visibility" },
]
