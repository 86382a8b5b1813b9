import type { DirectiveRecord } from "../store/directives.ts"
import { checkParams } from "./directive-params.ts"
import type { Directive } from "./directive.ts"

/** A stored directive with what this process knows of it. */
export interface Read {
  /** Undefined when this process has none, or its schema does not take the params any more. */
  readonly definition: Directive | undefined
  /** As the schema reads them; as they are stored where there is no definition. */
  readonly params: unknown
  /** Why the schema does not take them. */
  readonly problem: unknown
}

/** Reads the params of a stored directive by the schema of its type. Never rejects: an order can be ended in any case. */
export async function readParams(
  { type, params }: DirectiveRecord,
  definitions: ReadonlyMap<string, Directive>,
): Promise<Read> {
  const definition = definitions.get(type)
  if (!definition) return { definition, params, problem: undefined }
  try {
    return { definition, params: await checkParams(definition, params), problem: undefined }
  } catch (problem) {
    return { definition: undefined, params, problem }
  }
}
