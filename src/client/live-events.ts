/** An event of the live feed. */
export interface LiveEvent {
  /** `signals`, `deliveries`, `summary`, or `reset`: something may have been missed. */
  readonly event: string
  /** Id of the last signal of the event, to resume behind. */
  readonly id: string | undefined
  readonly data: unknown
}

/** What ends a feed, and where it begins. */
interface FeedOptions {
  readonly lastEventId?: string
  readonly abort?: AbortSignal
}

/** How long it waits before it connects again, milliseconds. */
const PAUSE_MS = 1_000

/**
 * Events until the reader stops or the feed is ended. A connection that breaks is made anew, behind the last signal that
 * was seen; an answer that refuses ends it.
 */
export async function* liveEvents(
  { lastEventId: first, abort }: FeedOptions,
  connect: (lastEventId: string | undefined) => Promise<Response>,
): AsyncGenerator<LiveEvent> {
  let lastEventId = first
  for (;;) {
    const response = await connect(lastEventId)
    if (!response.ok || !response.body)
      throw new Error(`expected a live feed, got status ${response.status}; check the key and the address`)
    for await (const event of eventsOf(response.body, abort)) {
      lastEventId = event.id ?? lastEventId
      yield event
    }
    if (abort?.aborted) return
    await new Promise((resolve) => void setTimeout(resolve, PAUSE_MS))
  }
}

async function* eventsOf(body: ReadableStream<Uint8Array>, abort: AbortSignal | undefined): AsyncGenerator<LiveEvent> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let text = ""
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      text += decoder.decode(value, { stream: true })
      const blocks = text.split("\n\n")
      text = blocks.pop() ?? ""
      yield* blocks.flatMap(parse)
    }
  } catch (error) {
    if (abort?.aborted) return
    // A connection that broke is made anew; a fault of the code is not hidden.
    if (error instanceof SyntaxError) throw error
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}

/** One block of text as an event; a comment is none. */
function parse(block: string): readonly LiveEvent[] {
  const fields = new Map(
    block.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
  )
  const data = fields.get("data")
  if (data === undefined) return []
  return [{ event: fields.get("event") ?? "message", id: fields.get("id"), data: JSON.parse(data) as unknown }]
}
