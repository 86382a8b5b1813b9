import type { HandlerSet } from "../delivery/handler-set.ts"
import { type Templates, templatesOf } from "../delivery/templates.ts"
import type { EmitDeps } from "../emit/emit.ts"
import type { Routes } from "../emit/routes.ts"
import { Bindings } from "../packages/runtime/bindings.ts"
import type { FleetOptions } from "./options.ts"

/** What packages may refer to. @throws FleetPromptError `template_invalid` */
export function templatesOfFleet({ templates = [] }: Pick<FleetOptions, "templates">): Templates {
  return templatesOf(templates)
}

/** What tenants' packages have this process run; one without a worker makes their deliveries and runs none. */
export function createBindings(
  { database, telemetry }: Pick<EmitDeps, "database" | "telemetry">,
  routes: Routes,
  handlers: HandlerSet,
  options: FleetOptions,
  onHandlers: () => void,
): Bindings {
  return new Bindings({
    engine: database.hot,
    routes,
    handlers: options.worker === false ? undefined : handlers,
    templates: templatesOfFleet(options).handlers,
    telemetry,
    onHandlers,
  })
}
