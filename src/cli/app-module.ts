import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import type { WebhookSource } from "../connectors/webhook-source.ts"
import type { Handler } from "../delivery/handler-definition.ts"
import type { Template } from "../delivery/template.ts"
import { FleetPromptError } from "../errors.ts"
import type { SignInOptions } from "../server/sign-in/options.ts"

/** What a module that `fleetprompt dev` runs exports as its default. */
export interface AppModule {
  readonly handlers?: readonly Handler[]
  /** What packages may refer to. */
  readonly templates?: readonly Template[]
  readonly webhooks?: readonly WebhookSource[]
  /** Slugs of tenants to provision besides the one shown. */
  readonly tenants?: readonly string[]
  /** How people sign in at `fleetprompt start`, besides what the environment says. */
  readonly signIn?: Omit<SignInOptions, "publicUrl" | "secret" | "onError">
}

/** @throws FleetPromptError `config_invalid` */
export async function loadAppModule(path: string): Promise<AppModule> {
  try {
    const loaded: unknown = await import(pathToFileURL(resolve(path)).href)
    const app = typeof loaded === "object" && loaded !== null && "default" in loaded ? loaded.default : undefined
    // createFleet checks what is inside.
    if (typeof app === "object" && app !== null) return app
  } catch (cause) {
    throw new FleetPromptError("config_invalid", `expected a module at ${path}, loading it failed: ${String(cause)}`, {
      cause,
    })
  }
  throw new FleetPromptError(
    "config_invalid",
    `expected ${path} to export default { handlers, webhooks }, it does not; add the export`,
  )
}
