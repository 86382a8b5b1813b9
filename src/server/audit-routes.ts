import { z } from "zod"
import type { AuditLog } from "../audit/audit-door.ts"
import { FleetPromptError } from "../errors.ts"
import { notFound } from "./problem.ts"
import { type Call, may, route, type Route, tenantOf } from "./route.ts"
import { auditHead, auditPage, auditReport, outcome } from "./schemas/audit-schemas.ts"
import { limit, noted, text, time } from "./schemas/fields.ts"

const tag = "Audit log"

const listEntries = route({
  method: "GET",
  path: "/v1/audit",
  name: "listAuditEntries",
  tag,
  summary: "What was done in the tenant, newest first, by pages.",
  access: may("audit_log:read"),
  query: z.object({
    actor: text("Id of who did it.").exactOptional(),
    actorKind: text("What they are: `user`.").exactOptional(),
    action: text("Pattern of actions: `member.**`.").exactOptional(),
    resource: text("To what it was done; with `:*` at its end all of that type.").exactOptional(),
    outcome: outcome.exactOptional(),
    correlationId: text("Of the signal, request or handler run.").exactOptional(),
    from: time("Happened at this time or later.").exactOptional(),
    to: time("Happened before this time.").exactOptional(),
    limit: limit(500, 50),
    before: noted(z.coerce.number().int(), "The `next` of the page before.").exactOptional(),
  }),
  answers: { 200: auditPage },
  errors: ["pattern_invalid"],
  run: (call) => logOf(call).list(call.query),
})

const getHead = route({
  method: "GET",
  path: "/v1/audit/head",
  name: "getAuditHead",
  tag,
  summary: "The signed head of the log; 404 before the first entry.",
  access: may("audit_log:read"),
  answers: { 200: auditHead },
  run: async (call) => {
    const head = await logOf(call).head()
    if (!head) throw notFound("the head of an audit log, which has no entry yet")
    return head
  },
})

const verifyLog = route({
  method: "POST",
  path: "/v1/audit/verify",
  name: "verifyAuditLog",
  tag,
  summary: "Checks every row of the log.",
  access: may("audit_log:verify"),
  answers: { 200: auditReport },
  run: (call) => logOf(call).verify({ abort: call.request.signal }),
})

const exportQuery = z.object({
  after: noted(z.coerce.number(), "Position of the last row of the export before.").exactOptional(),
  afterHash: text("Its hash, 64 hex digits.").exactOptional(),
})

const exportEntries = route({
  method: "GET",
  path: "/v1/audit/export",
  name: "exportAuditLog",
  tag,
  summary: "The whole log with its signed head, a row a line.",
  access: may("audit_log:export"),
  query: exportQuery,
  answers: { 200: { mediaType: "application/jsonl", description: "The format with the signed head, then every row." } },
  errors: ["request_invalid"],
  run: exportLog,
})

/** The audit log of the caller's tenant: entries, the signed head, a check, and an export. */
export const auditRoutes: readonly Route[] = [listEntries, getHead, verifyLog, exportEntries]

function logOf(call: Call): AuditLog {
  return tenantOf(call).audit
}

/** In pieces, as fast as they are taken; one that goes away ends the reading. */
function exportLog(call: Call<unknown, z.output<typeof exportQuery>>): Response {
  const after = placeOf(call.query)
  const lines = logOf(call).export({ ...(after && { after }), abort: call.request.signal })
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
function placeOf({
  after,
  afterHash,
}: z.output<typeof exportQuery>): { readonly position: number; readonly hash: string } | undefined {
  if (after === undefined && afterHash === undefined) return undefined
  if (after !== undefined && Number.isSafeInteger(after) && after > 0 && /^[0-9a-f]{64}$/.test(afterHash ?? ""))
    return { position: after, hash: afterHash ?? "" }
  throw new FleetPromptError(
    "request_invalid",
    "expected the position and hash of a row as after and afterHash, got something else; take both from the head of the export before",
    { path: "after" },
  )
}
