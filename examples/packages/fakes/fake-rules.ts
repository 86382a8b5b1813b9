/** How a fake is to behave for requests of paths that begin so. */
export type FakeRule = {
  readonly path: string
  /** Default: any. */
  readonly method?: string
  /** For so many requests. Default: from now on. */
  readonly times?: number
} & (
  | {
      /** Does nothing, and answers with a status: 500, 429, 401. */
      readonly kind: "fail"
      readonly status: number
      /** Says when to ask again, seconds. */
      readonly retryAfterS?: number
    }
  | {
      /** Does as asked, and cuts the connection in place of an answer. */
      readonly kind: "lose-answer"
    }
  | {
      /** Answers so much later. */
      readonly kind: "delay"
      readonly ms: number
    }
  | {
      /** Never answers. */
      readonly kind: "hang"
    }
  | {
      /** Answers none until so many wait at the same time. */
      readonly kind: "gather"
      readonly count: number
    }
)

/** What becomes of a request. */
export type FakeVerdict =
  | { readonly kind: "answer" }
  | { readonly kind: "lose-answer" }
  | { readonly kind: "refuse"; readonly status: number; readonly retryAfterS?: number | undefined }

const ANSWER: FakeVerdict = { kind: "answer" }

/** The rules of one fake; of those that fit a request, the last one that was told holds. */
export class FakeRules {
  readonly #rules: { readonly rule: FakeRule; left: number; gathered: (() => void)[] }[] = []

  add(rule: FakeRule): void {
    this.#rules.unshift({ rule, left: rule.times ?? Number.POSITIVE_INFINITY, gathered: [] })
  }

  /** Resolves when the request may go on. */
  async apply({ method, path }: { readonly method: string; readonly path: string }): Promise<FakeVerdict> {
    const fits = (rule: FakeRule) => path.startsWith(rule.path) && (rule.method ?? method) === method
    const held = this.#rules.find(({ rule, left }) => left > 0 && fits(rule))
    if (!held) return ANSWER
    held.left -= 1
    const { rule } = held
    switch (rule.kind) {
      case "fail":
        return { kind: "refuse", status: rule.status, retryAfterS: rule.retryAfterS }
      case "lose-answer":
        return { kind: "lose-answer" }
      case "delay":
        return new Promise((resolve) => void setTimeout(resolve, rule.ms, ANSWER))
      case "hang":
        return new Promise(() => {})
      case "gather":
        return this.#gather(held.gathered, rule.count)
    }
  }

  #gather(gathered: (() => void)[], count: number): Promise<FakeVerdict> {
    return new Promise((resolve) => {
      gathered.push(() => resolve(ANSWER))
      if (gathered.length >= count) for (const go of gathered.splice(0)) go()
    })
  }
}
