import { ApiKeyChecker, type PepperSource } from "../access/api-key-checker.ts"
import { type ApiKeyPepper, checkEnvironment, checkPeppers } from "../access/api-key-text.ts"
import type { ApiKeysDeps } from "../access/api-keys.ts"
import { RequestLimiter } from "../access/request-limiter.ts"
import { FleetPromptError } from "../errors.ts"
import type { Queryable } from "../store/database.ts"
import type { Telemetry } from "../telemetry/telemetry.ts"

/** How API keys are made and checked. */
export interface ApiKeySettings {
  /** Stands in each key, up to 16 small letters and digits; keys of other environments do not work. Default `live`. */
  readonly environment?: string
  /**
   * With what keys are hashed, instead of a secret of the key ring: the first for new keys, the others for keys that
   * were made with them, which take the first when they are used.
   */
  readonly peppers?: readonly ApiKeyPepper[]
  /** Keys that a process remembers at most, 1 to 1,000,000. Default 10,000. */
  readonly maxRemembered?: number
}

/** What a fleet knows callers by. */
export interface Callers {
  readonly checker: ApiKeyChecker
  readonly limiter: RequestLimiter
  /** What new keys are made with. */
  readonly apiKeys: ApiKeysDeps["apiKeys"]
  readonly start: () => Promise<void>
  readonly stop: () => Promise<void>
}

const DEFAULT_ENVIRONMENT = "live"
const DEFAULT_REMEMBERED = 10_000
const MAX_REMEMBERED = 1_000_000
/** Names the pepper that comes from the key ring. */
const RING_PEPPER = "ring"

/**
 * Makes what knows callers by their keys and counts their requests.
 *
 * @param engine for the engine's own statements.
 * @param derivePepper from the key ring, where the settings have no pepper.
 */
export function createCallers(
  engine: Queryable,
  telemetry: Pick<Telemetry, "tell">,
  settings: ApiKeySettings,
  derivePepper: () => Promise<Uint8Array>,
): Callers {
  const environment = settings.environment ?? DEFAULT_ENVIRONMENT
  const peppers = pepperSource(settings.peppers, derivePepper)
  const maxRemembered = settings.maxRemembered ?? DEFAULT_REMEMBERED
  const onError = (step: "access" | "limits") => (error: unknown) =>
    telemetry.tell("background.failed", { step, error })
  const checker = new ApiKeyChecker({ engine, peppers, environment, maxRemembered, onError: onError("access") })
  const limiter = new RequestLimiter({ engine, onError: onError("limits") })
  return {
    checker,
    limiter,
    apiKeys: { environment, peppers },
    start: () => checker.start(),
    stop: async () => {
      await Promise.all([checker.stop(), limiter.stop()])
    },
  }
}

/** @throws FleetPromptError `config_invalid` */
export function checkApiKeySettings({ environment, peppers, maxRemembered }: ApiKeySettings): void {
  if (environment !== undefined) checkEnvironment(environment)
  if (peppers) checkPeppers(peppers)
  if (
    maxRemembered === undefined ||
    (Number.isInteger(maxRemembered) && maxRemembered >= 1 && maxRemembered <= MAX_REMEMBERED)
  )
    return
  throw new FleetPromptError(
    "config_invalid",
    `expected a whole number from 1 to ${MAX_REMEMBERED} as apiKeys.maxRemembered, got ${maxRemembered}`,
  )
}

function pepperSource(given: readonly ApiKeyPepper[] | undefined, derive: () => Promise<Uint8Array>): PepperSource {
  let derived: Promise<readonly ApiKeyPepper[]> | undefined = given && Promise.resolve(given)
  return () => {
    derived ??= derive().then(
      (secret) => [{ id: RING_PEPPER, secret }],
      (error: unknown) => {
        // The next caller tries again.
        derived = undefined
        throw error
      },
    )
    return derived
  }
}
