/** Where a command prints what people read; results for programs go to stdout alone. */
export interface Terminal {
  /** A line that stays. */
  line(text: string): void
  /** A line that the next one replaces; on a terminal that cannot, only now and then. */
  progress(text: string): void
}

/** How often progress is printed where lines cannot be replaced, milliseconds. */
const PLAIN_PROGRESS_MS = 2_000

/** Prints to a stream such as `process.stderr`. */
export function createTerminal(stream: NodeJS.WriteStream): Terminal {
  let open = false
  let lastPlainAt = performance.now()
  const endProgress = (): void => {
    if (open) stream.write("\r\u001B[K")
    open = false
  }
  return {
    line(text) {
      endProgress()
      stream.write(`${text}\n`)
    },
    progress(text) {
      if (stream.isTTY) {
        stream.write(`\r\u001B[K${text.slice(0, stream.columns - 1)}`)
        open = true
      } else if (performance.now() - lastPlainAt >= PLAIN_PROGRESS_MS) {
        lastPlainAt = performance.now()
        stream.write(`${text}\n`)
      }
    },
  }
}

/** Rows of a name and a value, in two columns. */
export function table(rows: readonly (readonly [name: string, value: string | number])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length))
  const digits = Math.max(...rows.map(([, value]) => String(value).length))
  return rows.map(([name, value]) => `  ${name.padEnd(width)}  ${String(value).padStart(digits)}`).join("\n")
}
