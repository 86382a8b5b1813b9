/** The runs of this process, so that who cancels one here need not wait until its run asks the database. */
export class RunningDirectives {
  readonly #cancels = new Map<string, () => void>()

  /** A run begins. @returns a function that ends its being listed */
  add(tenant: string, id: string, cancel: () => void): () => void {
    const key = `${tenant} ${id}`
    this.#cancels.set(key, cancel)
    return () => {
      if (this.#cancels.get(key) === cancel) this.#cancels.delete(key)
    }
  }

  /** Somebody asked for its end. */
  cancel(tenant: string, id: string): void {
    this.#cancels.get(`${tenant} ${id}`)?.()
  }
}
