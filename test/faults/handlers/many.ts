import { type HandlerSet, recordedHandler } from "./recorded.ts"

/**
 * As many handlers of `many.**` as the option `count` says, `many.0` on, of which the one of the option `bad` throws
 * an error that no database can hold. And on `odd.**` some whose options throw: `odd.where`, `odd.key`, `odd.delay`,
 * `odd.priority`, `odd.backoff`.
 */
export const handlers: HandlerSet = (tools) => {
  const { count, bad } = tools.options
  const retry = { attempts: 2, backoff: { firstMs: 50, longestMs: 50 } }
  const boom = (): never => {
    throw new Error(`no database holds \u0000 or half of ${"\u{1F600}".slice(0, 1)}`)
  }
  const many = Array.from({ length: Number(count) }, (_, n) =>
    recordedHandler(tools, { name: `many.${n}`, on: "many.**", retry, ...(n === bad && { run: boom }) }),
  )
  return [
    ...many,
    recordedHandler(tools, { name: "odd.where", on: "odd.**", retry, where: boom }),
    recordedHandler(tools, { name: "odd.key", on: "odd.**", retry, ordered: "key", key: boom }),
    recordedHandler(tools, { name: "odd.delay", on: "odd.**", retry, delayMs: boom }),
    recordedHandler(tools, { name: "odd.priority", on: "odd.**", retry, priority: boom }),
    recordedHandler(tools, { name: "odd.backoff", on: "odd.**", retry: { attempts: 2, backoff: boom }, run: boom }),
    recordedHandler(tools, { name: "odd.good", on: "odd.**", retry }),
  ]
}
