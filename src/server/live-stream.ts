/** How a stream behaves. */
export interface LiveStreamOptions {
  /** How many texts a reader may be behind before it is cut off. */
  readonly maxBehind: number
  /** How often something is sent when nothing happens, milliseconds, so that nobody between takes the connection for dead. */
  readonly heartbeatMs: number
  /** Called once, when the reader goes, is cut off, or `end` is called. */
  readonly onEnd: () => void
}

const ENCODER = new TextEncoder()

/**
 * The body of one Server-Sent Events response. It keeps at most `maxBehind` texts for a slow reader and
 * then ends: the browser connects again and says what it saw last.
 */
export class LiveStream {
  readonly body: ReadableStream<Uint8Array>
  readonly #onEnd: () => void
  readonly #heartbeat: NodeJS.Timeout
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined

  constructor({ maxBehind, heartbeatMs, onEnd }: LiveStreamOptions) {
    this.#onEnd = onEnd
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller
        },
        cancel: () => this.#forget(),
      },
      { highWaterMark: maxBehind },
    )
    this.#heartbeat = setInterval(() => this.send(": still here\n\n"), heartbeatMs)
    this.send(": connected\n\n")
  }

  /** Sends an event with JSON as data. */
  event(name: string, data: unknown, id?: string): void {
    this.send(`${id === undefined ? "" : `id: ${id}\n`}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`)
  }

  /** Sends text as it is; after the end it does nothing. */
  send(text: string): void {
    if ((this.#controller?.desiredSize ?? 0) <= 0) return this.end()
    this.#controller?.enqueue(ENCODER.encode(text))
  }

  /** Ends the stream after what was sent. */
  end(): void {
    const controller = this.#controller
    this.#forget()
    controller?.close()
  }

  #forget(): void {
    if (!this.#controller) return
    this.#controller = undefined
    clearInterval(this.#heartbeat)
    this.#onEnd()
  }
}
