import { FleetPromptError } from "../errors.ts"
import { dataInvalid } from "./data-issues.ts"
import { copyJson } from "./json.ts"
import { checkType, createSignal, parseSignal, type Signal } from "./signal.ts"
import type { InferInput, InferOutput, StandardResult, StandardSchema } from "./standard-schema.ts"

/** What `defineSignal` needs to know. */
export interface SignalDefinition<Schema extends StandardSchema> {
  /** What happened, past tense: `lead.received`. Versions belong into the data, not into the type. */
  readonly type: string
  /**
   * A validator that follows Standard Schema, such as those of zod, valibot and arktype, and answers at
   * once. What it returns must be JSON, and it must take that again, because reading a signal checks it anew.
   */
  readonly schema: Schema
  /** Where it happens, for signals whose attributes do not say. */
  readonly source?: string
}

/** The attributes a signal may be given besides its type and data, as `createSignal` takes them. */
export interface TypedSignalAttributes {
  readonly id?: string
  /** Default: that of the definition. */
  readonly source?: string
  readonly time?: string
  readonly subject?: string
  readonly datacontenttype?: string
  readonly dataschema?: string
  readonly [extension: string]: unknown
}

/** Signals of one type, whose data follows a schema. Made by `defineSignal`. */
export interface TypedSignal<Input, Data> {
  readonly type: string
  /** Where it happens, for signals whose attributes do not say. */
  readonly source: string | undefined
  /**
   * What the schema returns for data.
   *
   * @throws FleetPromptError `data_invalid`, `schema_invalid`
   */
  readonly check: (data: Input) => Data
  /**
   * Makes a signal with what the schema returns for the data.
   *
   * @throws FleetPromptError `data_invalid`, `schema_invalid`, and what `createSignal` throws
   */
  readonly create: (data: Input, attributes?: TypedSignalAttributes) => Signal<Data>
  /**
   * Reads a signal of this type from outside.
   *
   * @throws FleetPromptError `data_invalid`, `schema_invalid`, and what `parseSignal` throws
   */
  readonly parse: (value: unknown) => Signal<Data>
  /**
   * Whether a signal has this type, and data that the schema takes as it is; it may hold further keys.
   *
   * @throws FleetPromptError `schema_invalid`
   */
  readonly is: (signal: Signal) => signal is Signal<Data>
}

/**
 * Ties a type of signal to a schema for its data.
 *
 * @throws FleetPromptError `signal_invalid` for the type, `schema_invalid`
 * @example
 * const leadReceived = defineSignal({ type: "lead.received", source: "/crm", schema: z.object({ leadId: z.string() }) })
 * const signal = leadReceived.create({ leadId: "123" })
 * signal.data.leadId // "123"
 */
export function defineSignal<Schema extends StandardSchema>(
  definition: SignalDefinition<Schema>,
): TypedSignal<InferInput<Schema>, InferOutput<Schema>> {
  type Data = InferOutput<Schema>
  const type = checkType(definition.type)
  const { schema } = definition
  checkSchema(type, schema)

  function validated(data: unknown): Data {
    const result = validate(type, schema, data)
    if (result.issues) throw dataInvalid(type, data, result.issues)
    return result.value
  }

  return Object.freeze({
    type,
    source: definition.source,
    check: (data: InferInput<Schema>): Data => validated(data),
    create: (data: InferInput<Schema>, attributes: TypedSignalAttributes = {}): Signal<Data> =>
      createSignal<Data>({
        ...attributes,
        // Where it is missing, createSignal says so.
        source: attributes.source ?? definition.source ?? "",
        type,
        data: validated(data),
      }),
    parse: (value: unknown): Signal<Data> => {
      const signal = parseSignal(value)
      if (signal.type !== type) throw otherType(type, signal.type)
      return Object.freeze({ ...signal, data: copyJson(validated(signal.data), "data") })
    },
    is: (signal: Signal): signal is Signal<Data> => {
      if (signal.type !== type) return false
      const result = validate(type, schema, signal.data)
      return !result.issues && isPartOf(result.value, signal.data)
    },
  })
}

function checkSchema(type: string, schema: StandardSchema): void {
  // As a caller without types may leave it out.
  const standard = (schema as Partial<StandardSchema> | undefined)?.["~standard"]
  if (standard?.version === 1 && typeof standard.validate === "function") return
  throw schemaInvalid(
    type,
    "a validator with Standard Schema version 1",
    "something else; take one of zod, valibot or arktype",
  )
}

function validate<Schema extends StandardSchema>(
  type: string,
  schema: Schema,
  data: unknown,
): StandardResult<InferOutput<Schema>> {
  const result = schema["~standard"].validate(data)
  if (!("then" in result)) return result
  // Nobody waits for it, so its failure must not end the process.
  result.then(undefined, () => {})
  throw schemaInvalid(type, "a validator that answers at once", "a promise; check what takes time in a handler")
}

/** Whether one JSON value is in the other: equal, but for keys that only the other has. */
function isPartOf(part: unknown, whole: unknown): boolean {
  if (typeof part !== "object" || part === null) return part === whole
  if (typeof whole !== "object" || whole === null || Array.isArray(part) !== Array.isArray(whole)) return false
  const isComplete = !Array.isArray(part) || Object.keys(part).length === Object.keys(whole).length
  return (
    isComplete &&
    Object.entries(part).every(([key, item]) => Object.hasOwn(whole, key) && isPartOf(item, Reflect.get(whole, key)))
  )
}

function otherType(expected: string, came: string): FleetPromptError {
  return new FleetPromptError("signal_invalid", `expected the type "${expected}", got "${came}"`, { path: "type" })
}

function schemaInvalid(type: string, expected: string, came: string): FleetPromptError {
  return new FleetPromptError("schema_invalid", `expected ${expected} as schema of "${type}", got ${came}`, {
    path: "schema",
  })
}
