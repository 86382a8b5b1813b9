import { type Cancel, cancel, type JsonValue } from "fleetprompt"
import type { z } from "zod"

/** Places that a reason names at most. */
const MAX_PLACES = 5

/**
 * The run of a template that works on data of one shape. Data of any other shape will not fit at the next try either: the
 * delivery ends as cancelled, with a reason that names places and never holds what stands there.
 *
 * @example
 * run: onData(z.object({ address: z.string() }), async ({ address }, { emit }) => { … })
 */
export function onData<Data, Context extends { readonly signal: { readonly data: JsonValue } }>(
  schema: z.ZodType<Data>,
  run: (data: Data, context: Context) => Promise<void>,
): (context: Context) => Promise<Cancel | undefined> {
  return async (context) => {
    const read = schema.safeParse(context.signal.data)
    if (!read.success) return cancel(reasonOf(read.error))
    await run(read.data, context)
    return undefined
  }
}

function reasonOf({ issues }: z.ZodError): string {
  const places = issues.slice(0, MAX_PLACES).map(({ path, code }) => `${["data", ...path].join(".")} (${code})`)
  return `expected data that this handler can work on, got something else at ${places.join(", ")}`
}
