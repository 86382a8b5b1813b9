import { type Context, Hono } from "hono"
import type { AuditListOptions } from "../audit/audit-list.ts"
import type { AuditLog } from "../audit/audit-door.ts"
import { FleetPromptError } from "../errors.ts"
import type { Fleet } from "../fleet.ts"
import { type AccessEnv, permit } from "./permit.ts"
import { notFound } from "./problem.ts"

type AuditContext = Context<AccessEnv>

/** Query parameters of a list that are passed on as they are; the log checks them. */
const CONDITIONS = ["actor", "actorKind", "action", "resource", "outcome", "correlationId", "from", "to"] as const

/** The audit log of the caller's tenant: entries, the signed head, a check, and an export. */
export function auditRoutes(fleet: Fleet): Hono<AccessEnv> {
  const routes = new Hono<AccessEnv>()
  routes.get("/audit", permit(fleet, "audit_log:read"), (context) => listEntries(fleet, context))
  routes.get("/audit/head", permit(fleet, "audit_log:read"), (context) => readHead(fleet, context))
  routes.post("/audit/verify", permit(fleet, "audit_log:verify"), (context) => verifyLog(fleet, context))
  routes.get("/audit/export", permit(fleet, "audit_log:export"), (context) => exportLog(fleet, context))
  return routes
}

function logOf(fleet: Fleet, context: AuditContext): AuditLog {
  return fleet.tenant(context.get("principal").tenant).audit
}

async function listEntries(fleet: Fleet, context: AuditContext): Promise<Response> {
  const query = context.req.query()
  const conditions = CONDITIONS.flatMap((name) => (query[name] === undefined ? [] : [[name, query[name]]]))
  const options = {
    ...Object.fromEntries(conditions),
    ...(query["limit"] !== undefined && { limit: Number(query["limit"]) }),
    ...(query["before"] !== undefined && { before: Number(query["before"]) }),
    // Each is a text or a number; whether it is one that the log knows, the log checks.
  } as AuditListOptions
  return context.json(await logOf(fleet, context).list(options))
}

async function readHead(fleet: Fleet, context: AuditContext): Promise<Response> {
  const head = await logOf(fleet, context).head()
  if (!head) throw notFound("the head of an audit log, which has no entry yet")
  return context.json(head)
}

async function verifyLog(fleet: Fleet, context: AuditContext): Promise<Response> {
  return context.json(await logOf(fleet, context).verify({ abort: context.req.raw.signal }))
}

/** In pieces, as fast as they are taken; one that goes away ends the reading. */
function exportLog(fleet: Fleet, context: AuditContext): Response {
  const after = placeOf(context)
  const lines = logOf(fleet, context).export({ ...(after && { after }), abort: context.req.raw.signal })
  const iterator = lines[Symbol.asyncIterator]()
  const encoder = new TextEncoder()
  const body = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const { done, value } = await iterator.next()
      if (done) controller.close()
      else controller.enqueue(encoder.encode(value))
    },
    cancel: async () => void (await iterator.return?.()),
  })
  const headers = {
    "content-type": "application/jsonl",
    "content-disposition": 'attachment; filename="audit.jsonl"',
    "cache-control": "no-store",
  }
  return new Response(body, { headers })
}

/** Where an export begins: position and hash of the last row of the export before. */
function placeOf(context: AuditContext): { readonly position: number; readonly hash: string } | undefined {
  const { after, afterHash } = context.req.query()
  if (after === undefined && afterHash === undefined) return undefined
  const position = Number(after)
  if (Number.isSafeInteger(position) && position > 0 && /^[0-9a-f]{64}$/.test(afterHash ?? ""))
    return { position, hash: afterHash ?? "" }
  throw new FleetPromptError(
    "request_invalid",
    "expected the position and hash of a row as after and afterHash, got something else; take both from the head of the export before",
    { path: "after" },
  )
}
