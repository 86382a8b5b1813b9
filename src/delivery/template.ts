import type { JsonObject, JsonValue } from "../signal/json.ts"
import type { InferOutput, StandardSchema } from "../signal/standard-schema.ts"
import type { Handler, HandlerContext, HandlerCredential, RetryOptions } from "./handler-definition.ts"
import type { HandlerResult } from "./outcome.ts"

/** Of which package, and which installation of it, something runs. */
export interface TemplatePackage {
  readonly slug: string
  readonly version: string
  /** Id of the installation. */
  readonly installation: string
}

/** Credentials by the names that the package gives them. */
export interface NamedCredentials {
  /**
   * The credential that the tenant's installation has under this name. Each call stands in the tenant's audit log before
   * it answers.
   *
   * @throws FleetPromptError `credential_unknown` when the package names none so, or the installation was given none;
   * `credential_unusable`, `secret_unreadable`, `key_unknown`
   */
  readonly get: (name: string) => Promise<HandlerCredential>
}

/** What a package has a template work with. */
export interface Bound<Params> {
  /** What the manifest says under `with`, as the template's schema reads it. */
  readonly params: Params
  /** The installation's configuration. */
  readonly config: JsonObject
  readonly package: TemplatePackage
  readonly credentials: NamedCredentials
}

/** What a handler template's `run` is called with. */
export interface TemplateContext<Params = JsonObject> extends Omit<HandlerContext, "credentials">, Bound<Params> {}

/** What an action template's `run` is called with. */
export interface ActionContext<Params = JsonObject> extends Bound<Params> {
  /** Slug of the tenant. */
  readonly tenant: string
  /** What the call gives, as the package's schema of the action allows it. */
  readonly input: JsonValue
  /** Fires when nobody waits for the result any more. */
  readonly abort: AbortSignal
}

/** What each template says. */
export interface TemplateDefinition<Schema extends StandardSchema> {
  /** By which manifests refer to it: `github.label-issue`. As a handler's name. It must not change between releases. */
  readonly name: string
  /** For people. */
  readonly description?: string
  /**
   * A validator that follows Standard Schema and answers at once, for what manifests say under `with`. Default: any object.
   */
  readonly params?: Schema
}

/** Code of the platform's that packages bind to signals. */
export interface HandlerTemplateDefinition<Schema extends StandardSchema> extends TemplateDefinition<Schema> {
  /** How long one attempt may take, milliseconds. Default 60,000. */
  readonly timeoutMs?: number
  /** How failed attempts are tried again, as of handlers. */
  readonly retry?: RetryOptions
  /** How many deliveries of one binding a tenant may have run at once, in all processes together. Default: no limit. */
  readonly concurrency?: { readonly perTenant?: number }
  /** Does the work, as a handler's `run`. */
  readonly run: (context: TemplateContext<InferOutput<Schema>>) => Promise<HandlerResult | void> | HandlerResult | void
}

/** Code of the platform's that packages let be called by name. */
export interface ActionTemplateDefinition<Schema extends StandardSchema> extends TemplateDefinition<Schema> {
  /** Does the work. What it answers is JSON. */
  readonly run: (context: ActionContext<InferOutput<Schema>>) => Promise<JsonValue> | JsonValue
}

/** A checked handler template. Made by `defineHandlerTemplate`. */
export interface HandlerTemplate {
  readonly kind: "handler"
  readonly name: string
  readonly description: string
  readonly params: StandardSchema | undefined
  /** How its deliveries are run and tried again. */
  readonly options: Handler
  readonly run: (context: TemplateContext<unknown>) => unknown
}

/** A checked action template. Made by `defineActionTemplate`. */
export interface ActionTemplate {
  readonly kind: "action"
  readonly name: string
  readonly description: string
  readonly params: StandardSchema | undefined
  readonly run: (context: ActionContext<unknown>) => unknown
}

/** Either of them. */
export type Template = HandlerTemplate | ActionTemplate
