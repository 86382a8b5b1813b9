import { FleetPromptError, isFleetPromptError } from "../errors.ts"
import type { Replacement } from "../signal/json.ts"
import { isUuid, newId } from "../signal/id.ts"
import { createSignal } from "../signal/signal.ts"
import type { SignalMetadata, Visibility } from "../signal/stored-signal.ts"
import type { Candidate } from "./candidate.ts"
import { redactText } from "./redact.ts"
import { listRedactions } from "./redactions.ts"

/** What a caller of `emit` may say about a signal besides its type and data. */
export interface SignalAttributes {
  /** Where it happened, a URI reference. Default `app`. */
  readonly source?: string
  /** What it is about, `type:id` by custom: `repository:octokit/webhooks`. */
  readonly subject?: string
  /** When it happened, RFC 3339. Default now. */
  readonly time?: string
  /** URI of the schema that the data follows. */
  readonly dataschema?: string
  /** Further CloudEvents attributes: lower-case names; strings, booleans, integers. */
  readonly extensions?: Readonly<Record<string, string | number | boolean>>
  /** Correlation, cause, actor and trace. What is missing gets its default. */
  readonly metadata?: Partial<Omit<SignalMetadata, "redactions">>
  /** Who may read it. Default `internal`: every member of the tenant. */
  readonly visibility?: Visibility
  /** The key under which the tenant has this fact once. At most 500 characters. */
  readonly dedupeKey?: string
  /** The provider's id of the event, unique together with `source`. At most 500 characters. */
  readonly sourceEventId?: string
  /**
   * What to do with what looks like a secret, or is text that Postgres cannot hold: refuse the signal
   * (the default), or put a marker in its place. The second is for sources that cannot ask again,
   * such as webhooks.
   */
  readonly onSecret?: "refuse" | "redact"
  /** @internal The id, for one that is stored again where its tenant was moved to. Default: a new one. */
  readonly id?: string
}

/** CloudEvents names that an extension must not take, because a stored signal uses them itself. */
const RESERVED_EXTENSIONS = new Set(["tenant", "metadata", "visibility"])
/** Longest dedupe key or provider's event id; an index row of Postgres must hold it. */
const MAX_KEY = 500
const UNSTORABLE = "unstorable-text"
/** What stands for a character that Postgres cannot hold. */
const REPLACEMENT_CHARACTER = "\uFFFD"

/**
 * The first step of every signal: from what the caller gave to a candidate whose every part is known
 * to survive JSON and Postgres unchanged.
 *
 * @throws FleetPromptError `signal_invalid`, `data_not_json`, `data_too_deep`
 */
export function normalise(tenant: string, type: string, data: unknown, attributes: SignalAttributes): Candidate {
  try {
    return toCandidate(tenant, type, data, attributes)
  } catch (error) {
    throw isFleetPromptError(error) ? withoutSecrets(error) : error
  }
}

/** A path holds keys as they came, and this step stands before the guard that knows secrets. */
function withoutSecrets(error: FleetPromptError): FleetPromptError {
  const { code, message, path } = error
  return new FleetPromptError(code, redactText(message), path === undefined ? {} : { path: redactText(path) })
}

function toCandidate(tenant: string, type: string, data: unknown, attributes: SignalAttributes): Candidate {
  const replaced: Replacement[] = []
  const { id = newId() } = attributes
  const signal = createSignal(
    {
      ...checkExtensions(attributes.extensions ?? {}),
      id,
      type,
      source: attributes.source ?? "app",
      data,
      ...(attributes.subject === undefined ? {} : { subject: attributes.subject }),
      ...(attributes.time === undefined ? {} : { time: attributes.time }),
      ...(attributes.dataschema === undefined ? {} : { dataschema: attributes.dataschema }),
    },
    attributes.onSecret === "redact" ? { replaceText: replaceInto(replaced) } : {},
  )
  return {
    tenant,
    signal,
    metadata: normaliseMetadata(attributes.metadata ?? {}, id, replaced),
    visibility: checkVisibility(attributes.visibility ?? "internal"),
    dedupeKey: checkKey("dedupeKey", attributes.dedupeKey),
    sourceEventId: checkKey("sourceEventId", attributes.sourceEventId),
    onSecret: attributes.onSecret ?? "refuse",
  }
}

function checkExtensions(extensions: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  for (const name of Object.keys(extensions)) {
    if (RESERVED_EXTENSIONS.has(name) || name in ENVELOPE) {
      throw new FleetPromptError(
        "signal_invalid",
        `expected another name than "${name}" for an extension, it is taken; rename it`,
        {
          path: `extensions.${name}`,
        },
      )
    }
  }
  return extensions
}

const ENVELOPE = {
  specversion: 1,
  id: 1,
  type: 1,
  source: 1,
  subject: 1,
  time: 1,
  data: 1,
  data_base64: 1,
  datacontenttype: 1,
  dataschema: 1,
}

/** Replaces each character that cannot be stored, and notes where. */
function replaceInto(replaced: Replacement[]): (text: string, path: string) => string {
  return (text, path) => {
    replaced.push({ path, rule: UNSTORABLE })
    return text.toWellFormed().replaceAll("\u0000", REPLACEMENT_CHARACTER)
  }
}

/** Correlation defaults to the signal's own id: the first signal of a cause names the whole of it. */
function normaliseMetadata(
  given: Partial<Omit<SignalMetadata, "redactions">>,
  id: string,
  replaced: readonly Replacement[],
): SignalMetadata {
  return {
    ...(given.trace_id === undefined ? {} : { trace_id: checkMetadata("trace_id", given.trace_id) }),
    ...(given.span_id === undefined ? {} : { span_id: checkMetadata("span_id", given.span_id) }),
    ...(given.actor_user_id === undefined
      ? {}
      : { actor_user_id: checkMetadata("actor_user_id", given.actor_user_id) }),
    ...(given.actor_role === undefined ? {} : { actor_role: checkMetadata("actor_role", given.actor_role) }),
    ...(given.hops === undefined ? {} : { hops: checkHops(given.hops) }),
    ...(replaced.length === 0 ? {} : { redactions: listRedactions(replaced) }),
    schema_version: checkSchemaVersion(given.schema_version ?? 1),
    correlation_id: checkMetadata("correlation_id", given.correlation_id ?? id),
    causation_id: given.causation_id == null ? null : checkCausation(given.causation_id),
  }
}

function checkCausation(value: string): string {
  if (typeof value === "string" && isUuid(value)) return value.toLowerCase()
  throw invalid("metadata.causation_id", "the id of a stored signal, a UUID")
}

function checkSchemaVersion(value: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= 2_147_483_647) return value
  throw invalid("metadata.schema_version", "a whole number from 1")
}

function checkHops(value: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= 2_147_483_647) return value
  throw invalid("metadata.hops", "a whole number from 0")
}

function checkMetadata(name: string, value: string): string {
  return checkText(`metadata.${name}`, value)
}

function checkKey(path: string, value: string | undefined): string | null {
  return value === undefined ? null : checkText(path, value)
}

function checkText(path: string, value: unknown): string {
  const fits = typeof value === "string" && value !== "" && value.length <= MAX_KEY
  if (fits && value.isWellFormed() && !value.includes("\u0000")) return value
  throw invalid(path, `a text of 1 to ${MAX_KEY} characters that Postgres can hold`)
}

function checkVisibility(value: Visibility): Visibility {
  if (value === "internal" || value === "admin_only") return value
  throw invalid("visibility", `"internal" or "admin_only"`)
}

function invalid(path: string, expected: string): FleetPromptError {
  return new FleetPromptError("signal_invalid", `expected ${expected} as ${path}, got something else`, { path })
}
