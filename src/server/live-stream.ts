/** How a stream behaves. */
export interface LiveStreamOptions {
  /** How many texts a reader may be behind before it is cut off. */
  readonly maxBehind: number
  /** How many bytes it may be behind; one text alone may be longer. */
  readonly maxBehindBytes: number
  /** How often something is sent when nothing happens, milliseconds, so that nobody between takes the connection for dead. */
  readonly heartbeatMs: number
  /** Called once, when the reader goes, is cut off, or `end` is called. */
  readonly onEnd: () => void
}

const ENCODER = new TextEncoder()

/**
 * The body of one Server-Sent Events response. It keeps at most `maxBehind` texts and `maxBehindBytes` for a slow
 * reader and then breaks off: the browser connects again and says what it saw last.
 */
export class LiveStream {
  readonly body: ReadableStream<Uint8Array>
  readonly #onEnd: () => void
  readonly #heartbeat: NodeJS.Timeout
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined

  constructor({ maxBehind, maxBehindBytes, heartbeatMs, onEnd }: LiveStreamOptions) {
    this.#onEnd = onEnd
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller
        },
        cancel: () => this.#forget(),
      },
      // A text counts as much as it is long, and at least so much that there are never too many.
      { highWaterMark: maxBehindBytes, size: ({ byteLength }) => Math.max(byteLength, maxBehindBytes / maxBehind) },
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
    if ((this.#controller?.desiredSize ?? 0) <= 0) return this.#cutOff()
    this.#controller?.enqueue(ENCODER.encode(text))
  }

  /** Ends the stream after what was sent. */
  end(): void {
    const controller = this.#controller
    this.#forget()
    controller?.close()
  }

  /** An end in order would keep what is queued, and the connection, until a reader who may never read has read it. */
  #cutOff(): void {
    const controller = this.#controller
    this.#forget()
    controller?.error(tooFarBehind())
  }

  #forget(): void {
    if (!this.#controller) return
    this.#controller = undefined
    clearInterval(this.#heartbeat)
    this.#onEnd()
  }
}

/** Without a stack: a server that prints it shall need one line for it. */
function tooFarBehind(): Error {
  const error = new Error("a reader of the live feed fell too far behind and was cut off")
  error.stack = error.message
  return error
}
