import type { HandlerContext, HandlerCredential } from "../../delivery/handler-definition.ts"
import type { NamedCredentials, TemplateContext, TemplatePackage } from "../../delivery/template.ts"
import { FleetPromptError } from "../../errors.ts"
import type { JsonObject } from "../../signal/json.ts"
import type { BindingRecord } from "../../store/bindings.ts"

/** What a template's `run` is called with for one attempt: the handler's context, and what its package gives it. */
export class BoundContext implements TemplateContext<unknown> {
  readonly params: unknown
  readonly config: JsonObject
  readonly package: TemplatePackage
  readonly emit: HandlerContext["emit"]
  readonly #base: HandlerContext
  readonly #binding: BindingRecord

  constructor(base: HandlerContext, binding: BindingRecord, params: unknown) {
    this.#base = base
    this.#binding = binding
    this.params = params
    this.config = binding.config
    this.package = { slug: binding.package, version: binding.version, installation: binding.installationId }
    this.emit = base.emit
  }

  get signal(): HandlerContext["signal"] {
    return this.#base.signal
  }

  get signals(): HandlerContext["signals"] {
    return this.#base.signals
  }

  get tenant(): string {
    return this.#base.tenant
  }

  get deliveryId(): string {
    return this.#base.deliveryId
  }

  get attempt(): number {
    return this.#base.attempt
  }

  get replay(): HandlerContext["replay"] {
    return this.#base.replay
  }

  get abort(): AbortSignal {
    return this.#base.abort
  }

  get credentials(): NamedCredentials {
    return namedCredentials(this.#binding, (id) => this.#base.credentials.get(id))
  }
}

/** Credentials of an installation by the names that its package gives them. */
export function namedCredentials(
  { credentials, package: slug }: Pick<BindingRecord, "credentials" | "package">,
  get: (id: string) => Promise<HandlerCredential>,
): NamedCredentials {
  return {
    get: async (name) => {
      const id = Object.hasOwn(credentials, name) ? credentials[name] : undefined
      if (id !== undefined) return get(id)
      const names = Object.keys(credentials).map((each) => `"${each}"`)
      throw new FleetPromptError(
        "credential_unknown",
        `expected the name of a credential that the installation of ${slug} was given (${names.join(", ") || "none"}), got "${name}"; give it one, or name it in the manifest`,
      )
    },
  }
}
