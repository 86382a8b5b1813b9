/**
 * Standard Schema: what a validator offers so that any library can use it. After version 1 of the
 * specification at https://standardschema.dev (MIT), which asks for its types to be copied.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1
    /** The library the validator is made with. */
    readonly vendor: string
    /** Says whether a value fits, and what it is read as. */
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>
    /** For the compiler alone. */
    readonly types?: StandardTypes<Input, Output> | undefined
  }
}

/** The types that a validator reads and returns. */
export interface StandardTypes<Input, Output> {
  readonly input: Input
  readonly output: Output
}

/** What a validation ends with: a value, or at least one issue. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] }

/** One reason why a value does not fit. */
export interface StandardIssue {
  readonly message: string
  /** The keys from the whole value to the part that does not fit. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** What may be given to a validator. */
export type InferInput<Schema extends StandardSchema> = NonNullable<Schema["~standard"]["types"]>["input"]

/** What a validator returns. */
export type InferOutput<Schema extends StandardSchema> = NonNullable<Schema["~standard"]["types"]>["output"]
