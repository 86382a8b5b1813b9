/**
 * What JSON must look like, as data: one description from which both the check and the published JSON Schema come, so
 * that an editor and the platform say the same.
 */
export type Shape =
  | TextShape
  | { readonly kind: "choice"; readonly of: readonly string[] }
  | { readonly kind: "integer"; readonly min: number; readonly max: number }
  | { readonly kind: "flag" }
  | { readonly kind: "list"; readonly of: Shape; readonly max: number }
  | RecordShape
  | { readonly kind: "map"; readonly keys: TextShape; readonly values: Shape; readonly max: number }
  /** Any JSON object. */
  | { readonly kind: "data" }
  /** A JSON Schema; what stands in it is looked at elsewhere. */
  | { readonly kind: "schema" }
  | { readonly kind: "any" }
  | VariantsShape
  /** Another shape, by the name under which it is defined once. */
  | { readonly kind: "named"; readonly name: string; readonly shape: () => Shape }

/** A text. Lengths are in characters (code points). */
export interface TextShape {
  readonly kind: "text"
  /** What it is called in messages: `a slug such as "github-triage"`. */
  readonly what: string
  readonly min: number
  readonly max: number
  /** A regular expression with the flag `u`, for the whole text. */
  readonly pattern?: string
}

/** An object with these fields and no others. */
export interface RecordShape {
  readonly kind: "record"
  readonly fields: Readonly<Record<string, Field>>
}

/** A field of a record. */
export interface Field {
  readonly shape: Shape
  readonly required: boolean
  /** What an editor shows. */
  readonly description: string
}

/** One of several records; the first whose `fits` says yes is the one that is meant. */
export interface VariantsShape {
  readonly kind: "variants"
  /** What it is called in messages. */
  readonly what: string
  readonly of: readonly {
    readonly fits: (value: Readonly<Record<string, unknown>>) => boolean
    readonly shape: RecordShape
  }[]
}

/** A text of some length. */
export function text(what: string, max: number, pattern?: string): TextShape {
  return { kind: "text", what, min: 1, max, ...(pattern !== undefined && { pattern }) }
}

/** A record; a field whose name ends with `?` may be left out. */
export function record(fields: Readonly<Record<string, readonly [shape: Shape, description: string]>>): RecordShape {
  const entries = Object.entries(fields).map(([name, [shape, description]]) => {
    const field: Field = { shape, description, required: !name.endsWith("?") }
    return [name.replace(/\?$/, ""), field] as const
  })
  return { kind: "record", fields: Object.fromEntries(entries) }
}

/** A list of at most so many. */
export function list(of: Shape, max: number): Shape {
  return { kind: "list", of, max }
}
