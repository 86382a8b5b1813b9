const SECONDS = /^\d+$/
/** The one form of date that may be sent since 1999 (RFC 9110 section 5.6.7). */
const IMF_FIXDATE = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/

/**
 * Reads a `Retry-After` header (RFC 9110 section 10.2.3): the milliseconds from now, or undefined when
 * there is none, or none that can be understood. It may be as large as the sender likes.
 *
 * @example
 * retryAfterMs("120", Date.now()) // 120000
 */
export function retryAfterMs(header: string | null, nowMs: number): number | undefined {
  const text = header?.trim() ?? ""
  if (SECONDS.test(text)) return Number(text) * 1_000
  if (!IMF_FIXDATE.test(text)) return undefined
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs)
}
