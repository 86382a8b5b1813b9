import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { z } from "zod"
import type { Principal } from "../access/principal.ts"
import { type DirectiveProcess, directiveProcess, requestedSignal } from "../../test/support/directive-rig.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { placements, tenantOf } from "../../test/support/tenant-rows.ts"
import { isFleetPromptError } from "../errors.ts"
import type { StoredSignal } from "../signal/stored-signal.ts"
import type { DirectiveStatus } from "../store/directives.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { defineDirective } from "./define-directive.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const RUNS = process.env["TEST_DATABASE"] === "server" ? 40 : 25

/** What may follow what. */
const LEGAL: Readonly<Record<DirectiveStatus, readonly DirectiveStatus[]>> = {
  requested: ["running", "cancelled"],
  running: ["completed", "failed", "cancelled"],
  completed: [],
  failed: [],
  cancelled: [],
}
const STATUSES = Object.keys(LEGAL) as readonly DirectiveStatus[]

/** Ends as the test says next; one that fails is tried again. */
function thing(next: { ends: "well" | "badly" | "for good" }) {
  return defineDirective({
    type: "thing.do",
    params: z.object({ needsApproval: z.boolean() }),
    approval: ({ needsApproval }) => needsApproval,
    retry: { attempts: 3, backoff: { firstMs: 0 }, when: () => next.ends !== "for good" },
    run: async ({ step }) => {
      await step("first", () => 1, { undo: () => {} })
      if (next.ends !== "well") throw new Error("no")
      return 1
    },
  })
}

const principal = (id: string): Principal => ({ kind: "user", id, tenant: "any", role: "owner" })

type Command =
  | { readonly kind: "approve" | "reject" | "cancel"; readonly by: string }
  | { readonly kind: "takeUp"; readonly ends: "well" | "badly" | "for good"; readonly attempt: number }
  | { readonly kind: "write"; readonly status: DirectiveStatus }

const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    kind: fc.constantFrom("approve" as const, "reject" as const, "cancel" as const),
    by: fc.constantFrom("ann", "bob"),
  }),
  fc.record({
    kind: fc.constant("takeUp" as const),
    ends: fc.constantFrom("well" as const, "badly" as const, "for good" as const),
    attempt: fc.integer({ min: 1, max: 4 }),
  }),
  fc.record({ kind: fc.constant("write" as const), status: fc.constantFrom(...STATUSES) }),
)

/** The whole row, as text. */
async function rowOf(
  scope: TenantScope,
  id: string,
): Promise<{ readonly status: DirectiveStatus; readonly text: string }> {
  const [row] = await db.database.query<{ status: DirectiveStatus; text: string }>(
    `select status, to_jsonb(directives)::text as text from ${scope.schema}.directives where tenant = $1 and id = $2`,
    [scope.slug, id],
  )
  if (!row) throw new Error("the directive is gone")
  return row
}

/** What a command led through: one that takes a directive up begins it first. */
function wayOf(
  from: DirectiveStatus,
  to: DirectiveStatus,
  { kind }: Command,
): readonly (readonly [DirectiveStatus, DirectiveStatus])[] {
  if (from === to) return []
  const isBegunFirst = kind === "takeUp" && from === "requested" && (to === "completed" || to === "failed")
  return isBegunFirst
    ? [
        [from, "running"],
        ["running", to],
      ]
    : [[from, to]]
}

/** Whoever writes into the table past all code, as somebody with the database's password does. */
async function write(scope: TenantScope, id: string, status: DirectiveStatus): Promise<void> {
  const isOver = LEGAL[status].length === 0
  await db.database.query(
    `update ${scope.schema}.directives set status = $3, error_kind = 'written',
       started_at = coalesce(started_at, case when $3 <> 'requested' then now() end),
       completed_at = ${isOver ? "now()" : "null"}
     where tenant = $1 and id = $2`,
    [scope.slug, id, status],
  )
}

describe.each(placements)("with placement %s", (placement) => {
  test("whatever is done to it, its row never leaves the legal ways", { timeout: 200_000 }, async () => {
    const scope = await tenantOf(db.database, placement)
    const seen = new Set<string>()
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.array(command, { minLength: 1, maxLength: 8 }),
        async (needsApproval, commands) => {
          const next = { ends: "well" as "well" | "badly" | "for good" }
          const process = directiveProcess(db.database, scope.slug, [thing(next)])
          const asked = { actor: principal("ann") }
          const { directive } = await process.directives.request("thing.do", { needsApproval }, asked)
          const signal = await requestedSignal(process.directives, directive.id)
          let before = await rowOf(scope, directive.id)
          for (const each of commands) {
            if (each.kind === "takeUp") next.ends = each.ends
            await carryOut(each, process, signal, scope, directive.id)
            const now = await rowOf(scope, directive.id)
            for (const [from, to] of wayOf(before.status, now.status, each)) {
              expect(LEGAL[from]).toContain(to)
              seen.add(`${from} > ${to}`)
            }
            // What has ended does not change by a letter.
            if (LEGAL[before.status].length === 0) expect(now.text).toBe(before.text)
            before = now
          }
        },
      ),
      { numRuns: RUNS, seed: 20_260_106 },
    )
    expect([...seen].toSorted()).toEqual([
      "requested > cancelled",
      "requested > running",
      "running > cancelled",
      "running > completed",
      "running > failed",
    ])
  })

  test("what was ordered does not change, and what was decided is not taken back", async () => {
    const scope = await tenantOf(db.database, placement)
    const { directives } = directiveProcess(db.database, scope.slug, [thing({ ends: "well" })])
    const { directive } = await directives.request("thing.do", { needsApproval: true })
    const change = (what: string): Promise<unknown> =>
      db.database.query(`update ${scope.schema}.directives set ${what} where tenant = $1 and id = $2`, [
        scope.slug,
        directive.id,
      ])
    for (const what of [
      "params = '{}'",
      "type = 'other.thing'",
      "actor_id = 'mallory'",
      "actor_role = 'owner'",
      "idempotency_key = 'k'",
      "run_at = now()",
      "status = 'running', started_at = now()",
      "approval = null",
    ])
      await expect(change(what), what).rejects.toThrow(/does not|was not approved/)
    await change("approval = 'approved'")
    await expect(change("approval = 'waiting'")).rejects.toThrow("does not become waiting")
    await change("cancel_requested = true, run_token = 5")
    await expect(change("cancel_requested = false")).rejects.toThrow("does not go back")
    await expect(change("run_token = 4")).rejects.toThrow("does not go back")
    await change("progress = '{}'")
  })
})

async function carryOut(
  each: Command,
  { directives, takeUp }: DirectiveProcess,
  signal: StoredSignal,
  scope: TenantScope,
  id: string,
): Promise<void> {
  try {
    if (each.kind === "takeUp") await takeUp(signal, each.attempt)
    else if (each.kind === "write") await write(scope, id, each.status)
    else await directives[each.kind](id, { actor: principal(each.by) })
  } catch (error) {
    const isRefused = isFleetPromptError(error) && ["directive_state", "forbidden"].includes(error.code)
    // What the database refuses: restrict_violation of the trigger, check_violation of the table.
    const isStopped = error instanceof Error && "code" in error && ["23001", "23514"].includes(String(error.code))
    if (!isRefused && !isStopped) throw error
  }
}
