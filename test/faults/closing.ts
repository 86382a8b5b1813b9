/** Resources that are to be closed whatever happens, the last one first. */
export class Closing {
  readonly #closers: { readonly what: string; readonly close: () => unknown }[] = []

  add(what: string, close: () => unknown): void {
    this.#closers.push({ what, close })
  }

  /**
   * Closes all, each within a while; what one throws or leaves hanging keeps no other open.
   *
   * @returns what could not be closed, as sentences
   */
  async closeAll(eachWithinMs = 15_000): Promise<readonly string[]> {
    const complaints: string[] = []
    for (let next = this.#closers.pop(); next; next = this.#closers.pop()) {
      const { what, close } = next
      try {
        await inTime(Promise.resolve(close()), eachWithinMs)
      } catch (error) {
        complaints.push(`${what} could not be closed: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
    return complaints
  }
}

async function inTime(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it took longer than ${ms} ms`)), ms)
  })
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
