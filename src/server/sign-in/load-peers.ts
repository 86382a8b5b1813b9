import type { betterAuth } from "better-auth"
import type { sso } from "@better-auth/sso"
import { FleetPromptError } from "../../errors.ts"
import type { KyselyParts } from "../../store/sign-in-dialect.ts"

/** The optional packages that sign-in works with. */
export interface SignInPeers {
  readonly betterAuth: typeof betterAuth
  readonly kysely: KyselyParts
  /** Only where providers are set. */
  readonly sso: typeof sso | undefined
}

const VERSION = "1.7.5"

/** @throws FleetPromptError `peer_missing` */
export async function loadPeers(needsSso: boolean): Promise<SignInPeers> {
  const [auth, kysely, single] = await Promise.all([
    found(import("better-auth"), `better-auth@${VERSION}`),
    found(import("kysely"), `better-auth@${VERSION} kysely`),
    needsSso ? found(import("@better-auth/sso"), `@better-auth/sso@${VERSION}`) : undefined,
  ])
  return { betterAuth: auth.betterAuth, kysely, sso: single?.sso }
}

async function found<Module>(loading: Promise<Module>, install: string): Promise<Module> {
  try {
    return await loading
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "ERR_MODULE_NOT_FOUND")) throw cause
    throw new FleetPromptError(
      "peer_missing",
      `sign-in needs a package that is not installed; run: npm install ${install}`,
      {
        cause,
      },
    )
  }
}
