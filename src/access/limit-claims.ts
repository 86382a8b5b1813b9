import type { Queryable } from "../store/database.ts"
import { type LimitClaim, type LimitGrant, takeFromLimits } from "../store/request-limits.ts"

/** Claims that one statement makes at most. */
const BATCH = 500

interface Waiting {
  readonly claim: LimitClaim
  readonly resolve: (grant: LimitGrant) => void
  readonly reject: (error: unknown) => void
}

/** What claims are made with. */
export interface LimitClaimsDeps {
  readonly engine: Queryable
  /** Is told when a statement failed. */
  readonly onError: (error: unknown) => void
}

/**
 * Makes the claims of one process, one statement at a time: what is wanted meanwhile gathers for the next. However many
 * clients there are, the database sees one statement of this kind from each process. A key is claimed by one caller at
 * a time.
 */
export class LimitClaims {
  readonly #deps: LimitClaimsDeps
  #waiting: Waiting[] = []
  #isRunning = false

  constructor(deps: LimitClaimsDeps) {
    this.#deps = deps
  }

  make(claim: LimitClaim): Promise<LimitGrant> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ claim, resolve, reject })
      if (!this.#isRunning) void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    // What is wanted in the same turn of the loop goes along.
    await Promise.resolve()
    while (this.#waiting.length > 0) await this.#claim(this.#waiting.splice(0, BATCH))
    this.#isRunning = false
  }

  async #claim(batch: readonly Waiting[]): Promise<void> {
    try {
      const grants = await takeFromLimits(
        this.#deps.engine,
        batch.map(({ claim }) => claim),
      )
      const byKey = new Map(grants.map((grant) => [grant.key, grant]))
      for (const { claim, resolve, reject } of batch) {
        const grant = byKey.get(claim.key)
        if (grant) resolve(grant)
        else reject(new Error("a claim on a request limit was not answered"))
      }
    } catch (error) {
      this.#deps.onError(error)
      for (const { reject } of batch) reject(error)
    }
  }
}
