import { freezeJson } from "../signal/json.ts"
import type { StoredSignal, SignalMetadata, Visibility } from "../signal/stored-signal.ts"
import { subjectColumns } from "./subject.ts"

/** CloudEvents attributes that have no column of their own; kept in the metadata column, so that a signal comes back as it was. */
interface EnvelopeRest {
  readonly subject?: string
  /** Only when `occurred_at` would print another text for the same instant. */
  readonly time?: string
  readonly datacontenttype?: string
  readonly dataschema?: string
  readonly extensions?: Readonly<Record<string, unknown>>
}

/** The row of `signals` as a statement takes it. */
export interface SignalRecord {
  readonly tenant: string
  readonly id: string
  readonly type: string
  readonly source: string
  readonly subject_type: string | null
  readonly subject_id: string | null
  readonly data: unknown
  readonly metadata: SignalMetadata & { readonly cloudevents?: EnvelopeRest }
  readonly occurred_at: string
  readonly dedupe_key: string | null
  readonly source_event_id: string | null
  readonly visibility: Visibility
}

/** The columns of a row that `fromRecord` reads, for a select list. */
export const SIGNAL_COLUMNS = `tenant, id, type, source, data, metadata,
  to_char(occurred_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as occurred_at,
  dedupe_key, source_event_id, visibility`

/** What of a signal is sent for each row, by the short names of `insertSignals`; what is undefined is read as null. */
export interface SignalRow {
  readonly k: number
  readonly id: string
  readonly st: string | undefined
  readonly si: string | undefined
  readonly d: unknown
  readonly m: SignalRecord["metadata"]
  readonly t: string
  readonly dk: string | undefined
  readonly se: string | undefined
}

/** A signal as a row: place of its kind, subject type and id, data, metadata, time, dedupe key, the provider's event id. */
export function toRow(signal: StoredSignal, k: number): SignalRow {
  const { id, data, metadata, dedupeKey, sourceEventId, time, subject } = signal
  const rest = envelopeRest(signal)
  const columns = subject === undefined ? undefined : subjectColumns(subject)
  return {
    k,
    id,
    st: columns?.subject_type ?? undefined,
    si: columns?.subject_id ?? undefined,
    d: data,
    m: rest ? { ...metadata, cloudevents: rest } : metadata,
    t: time,
    dk: dedupeKey ?? undefined,
    se: sourceEventId ?? undefined,
  }
}

/** Members of a stored signal that have a column, or a place of their own in `EnvelopeRest`. */
const PLACED = new Set([
  "specversion",
  "id",
  "type",
  "source",
  "time",
  "subject",
  "data",
  "datacontenttype",
  "dataschema",
  "tenant",
  "metadata",
  "visibility",
  "dedupeKey",
  "sourceEventId",
])
/** As `occurred_at` prints it. */
const COLUMN_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d\.\d{3}Z$/

function envelopeRest(signal: StoredSignal): EnvelopeRest | undefined {
  const { subject, time, datacontenttype, dataschema } = signal
  const rest: { -readonly [Name in keyof EnvelopeRest]: EnvelopeRest[Name] } = {}
  if (subject !== undefined) rest.subject = subject
  if (!COLUMN_TIME.test(time)) rest.time = time
  if (datacontenttype !== undefined) rest.datacontenttype = datacontenttype
  if (dataschema !== undefined) rest.dataschema = dataschema
  const extensions = Object.keys(signal).filter((name) => !PLACED.has(name))
  if (extensions.length > 0) rest.extensions = Object.fromEntries(extensions.map((name) => [name, signal[name]]))
  return Object.keys(rest).length === 0 ? undefined : rest
}

/** A row as the signal that was stored, frozen. */
export function fromRecord(row: SignalRecord): StoredSignal {
  const { cloudevents = {}, ...metadata } = row.metadata
  const { extensions = {}, time = row.occurred_at, ...named } = cloudevents
  return Object.freeze({
    ...extensions,
    specversion: "1.0",
    id: row.id,
    source: row.source,
    type: row.type,
    time,
    ...named,
    data: freezeJson(row.data),
    tenant: row.tenant,
    metadata: freezeJson(metadata),
    visibility: row.visibility,
    dedupeKey: row.dedupe_key,
    sourceEventId: row.source_event_id,
  })
}
