import { Hono } from "hono"
import type { EmitResult } from "../emit/emit.ts"
import type { Fleet } from "../fleet.ts"
import { open } from "./permit.ts"
import { notFound } from "./problem.ts"
import { readBody } from "./read-body.ts"

/**
 * `POST /v1/webhooks/:name`: one address for each webhook source of the fleet. The tenant is the
 * source's; the signature says that the sender is the one the tenant knows. Answers once the signal is
 * stored: 202 with its id, or 204 for a genuine request that is no event.
 */
export function webhookRoutes(fleet: Fleet): Hono {
  const routes = new Hono()
  routes.post("/:name", open("signed by its sender"), async (context) => {
    const result = await receive(fleet, context.req.param("name"), context.req.raw)
    if (!result) return context.body(null, 204)
    return context.json({ id: result.signal.id, inserted: result.inserted }, 202)
  })
  return routes
}

async function receive(fleet: Fleet, name: string, request: Request): Promise<EmitResult | undefined> {
  const source = fleet.webhooks.get(name)
  if (!source) throw notFound("a webhook source")
  const body = await readBody(request, source.maxBodyBytes)
  const event = source.receive({ headers: request.headers, body })
  if (!event) return undefined
  const { type, data, ...attributes } = event
  return fleet
    .tenant(source.tenant)
    .emit(type, data, { ...attributes, onSecret: "redact", onConflict: "existing", maxDataBytes: source.maxBodyBytes })
}
