import { actorOf } from "../../access/principal-actor.ts"
import type { RequestLimit } from "../../access/request-limiter.ts"
import { appendAudit } from "../../audit/append-audit.ts"
import type { AuditActor } from "../../audit/audit-entry.ts"
import { maskThrown } from "../../delivery/mask-thrown.ts"
import type { ActionTemplate } from "../../delivery/template.ts"
import { readParams } from "../../delivery/templates.ts"
import { FleetPromptError } from "../../errors.ts"
import { RevealedSecrets } from "../../guard/revealed.ts"
import { copyJson, type JsonObject, type JsonValue } from "../../signal/json.ts"
import { type InstallationRecord, selectLiveInstallation } from "../../store/installations.ts"
import type { TenantScope } from "../../store/tenant-scope.ts"
import { withinTenant } from "../../store/within-tenant.ts"
import { compileSchema } from "../json-schema.ts"
import type { ActionBinding, JsonSchema, PackageManifest } from "../manifest.ts"
import { fillPlaceholders } from "../placeholders.ts"
import { namedCredentials } from "../runtime/bound-context.ts"
import { some } from "./desired.ts"
import { type InstallationsDeps, scopeOfInstallations, unknownInstallation, wrongState } from "./installations-deps.ts"
import { admit } from "./order-package.ts"
import type { ExecuteOptions } from "./tenant-packages.ts"

/** How often a tenant may call actions, in all processes together. */
const LIMIT: RequestLimit = { name: "package-actions", limit: 1_000, windowMs: 60_000 }
const DEFAULT_TIMEOUT_MS = 60_000
const PROGRAM: AuditActor = { kind: "system", id: "program" }

/** What is called. */
export interface ActionCall {
  readonly package: string
  readonly action: string
  readonly input: JsonValue
}

/** An action that is there, and what it is called with. */
interface Found {
  readonly scope: TenantScope
  readonly installation: InstallationRecord
  readonly manifest: PackageManifest
  readonly binding: ActionBinding
  readonly template: ActionTemplate
}

/** Calls an action of a package, and notes it. @throws FleetPromptError see `TenantPackages.execute` */
export async function executeAction(
  tenant: string,
  call: ActionCall,
  options: ExecuteOptions,
  deps: InstallationsDeps,
): Promise<JsonValue> {
  await admit("installations:execute", tenant, options, deps)
  await takePlace(tenant, deps)
  const found = await findAction(tenant, call, deps)
  const input = copyJson(call.input, "input")
  checkData("action_input_invalid", `the input of ${call.package}.${call.action}`, found.binding.params, input)
  try {
    const result = await run(tenant, found, input, options, deps)
    await note(found, call, options, "done", deps)
    return result
  } catch (error) {
    await note(found, call, options, "failed", deps)
    throw error
  }
}

async function takePlace(tenant: string, { limiter }: InstallationsDeps): Promise<void> {
  const { allowed, resetMs } = await limiter.take(LIMIT, tenant)
  if (allowed) return
  throw new FleetPromptError(
    "rate_limited",
    `expected at most ${LIMIT.limit} calls of packages' actions in a minute, got more; try again in ${Math.ceil(resetMs / 1_000)} s`,
  )
}

async function findAction(tenant: string, call: ActionCall, deps: InstallationsDeps): Promise<Found> {
  const scope = await scopeOfInstallations(tenant, deps)
  const installation = await withinTenant(deps.database, scope, (tx) => selectLiveInstallation(tx, scope, call.package))
  if (!installation) throw unknownInstallation(call.package)
  // While it is upgraded, what there was still runs.
  const { status, version } = installation
  if ((status !== "active" && status !== "upgrading") || version === null)
    throw wrongState("a package that is active", call.package, status)
  const manifest = await deps.shelf.manifest(call.package, version)
  const binding = manifest?.actions?.find(({ name }) => name === call.action)
  if (!manifest || !binding) throw unknownAction(call, manifest?.actions ?? [])
  const template = deps.templates.actions.get(binding.uses)
  if (template) return { scope, installation, manifest, binding, template }
  throw new FleetPromptError(
    "template_unknown",
    `expected an action template of this platform as "${call.action}" of ${call.package}, got "${binding.uses}", which it does not have; give it to createFleet({ templates })`,
  )
}

function unknownAction({ package: slug, action }: ActionCall, actions: readonly ActionBinding[]): FleetPromptError {
  const names = actions.map(({ name }) => name).join(", ") || "it has none"
  return new FleetPromptError(
    "action_unknown",
    `expected an action of ${slug} (${names}), got ${JSON.stringify(action.slice(0, 100))}; check the name`,
  )
}

async function run(
  tenant: string,
  { installation, manifest, binding, template }: Found,
  input: JsonValue,
  { signal, timeoutMs = DEFAULT_TIMEOUT_MS }: ExecuteOptions,
  deps: InstallationsDeps,
): Promise<JsonValue> {
  const { config, id } = installation
  const { slug, version } = manifest
  const revealed = new RevealedSecrets()
  const abort = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])])
  const get = (credential: string) =>
    deps.credentials.use(tenant, credential, {
      actor: { kind: "system", id: `action:${slug}.${binding.name}` },
      details: { installation: id },
      onReveal: (secret) => revealed.add(secret),
    })
  const credentials = some(installation.credentials, binding.credentials ?? [])
  try {
    const answered = template.run({
      tenant,
      input,
      abort,
      config,
      // Parameters are an object, and stay one when they are filled in.
      params: readParams(template, fillPlaceholders(binding.with ?? {}, config) as JsonObject),
      package: { slug, version, installation: id },
      credentials: namedCredentials({ credentials, package: slug }, get),
    })
    const result = copyJson((await untilAborted(Promise.resolve(answered), abort)) ?? null, "result")
    checkData("action_result_invalid", `the result of ${slug}.${binding.name}`, binding.result, result)
    return revealed.maskJson(result)
  } catch (error) {
    throw maskThrown(error, revealed)
  } finally {
    revealed.end()
  }
}

/** @throws FleetPromptError `action_input_invalid`, `action_result_invalid` */
function checkData(
  code: "action_input_invalid" | "action_result_invalid",
  what: string,
  schema: JsonSchema | undefined,
  data: JsonValue,
): void {
  if (schema === undefined) return
  const problems = compileSchema(schema)(data, "")
  if (problems.length === 0) return
  const told = problems.map(({ pointer, message }) => `${pointer || "/"}: ${message}`)
  throw new FleetPromptError(code, `expected ${what} to fit the package's schema, it does not:\n${told.join("\n")}`)
}

async function untilAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  // Nobody may wait for it any more when it fails.
  work.catch(() => undefined)
  let onAbort = (): void => {}
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason)
    signal.addEventListener("abort", onAbort)
    if (signal.aborted) onAbort()
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener("abort", onAbort)
  }
}

async function note(
  { scope, installation, manifest }: Found,
  { action }: ActionCall,
  { actor, correlationId }: ExecuteOptions,
  outcome: "done" | "failed",
  { database }: InstallationsDeps,
): Promise<void> {
  const entry = {
    action: "package.execute",
    resource: `package_installation:${installation.id}`,
    actor: actor ? actorOf(actor) : PROGRAM,
    outcome,
    details: { package: manifest.slug, version: manifest.version, action },
    ...(correlationId !== undefined && { correlationId }),
  }
  await withinTenant(database, scope, (tx) => appendAudit(tx, scope, [entry]))
}
