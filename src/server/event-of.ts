import type { StoredSignal } from "../signal/stored-signal.ts"

/** A stored signal as the CloudEvent that it is, without what the platform knows besides. */
export function eventOf(signal: StoredSignal): object {
  const { tenant: _, metadata: __, visibility: ___, dedupeKey: ____, sourceEventId: _____, ...event } = signal
  return event
}
