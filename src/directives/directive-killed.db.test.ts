import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { z } from "zod"
import { directiveProcess, killedAndTakenUp } from "../../test/support/directive-rig.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { placements, tenantOf } from "../../test/support/tenant-rows.ts"
import { defineDirective } from "./define-directive.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
  await db.database.script("create table public.notes (directive text not null, note text not null)")
})
afterAll(() => db.close())

/** More statements than a run has. */
const MANY = 400
/** Every so many statements it is killed in another run. */
const STRIDE = process.env["TEST_DATABASE"] === "server" ? 1 : 3

/** What the world outside has got: each effect once for each key. */
class Outside {
  readonly keys = new Set<string>()
  readonly undone: string[] = []
}

/** Installs an item: a step outside, a signal, a step inside of the database. */
function install(outside: Outside, fails: boolean) {
  const stage = () => ({ data: { item: 1 }, subject: "item:1" })
  return defineDirective({
    type: "item.install",
    params: z.object({ name: z.string() }),
    retry: { attempts: fails ? 1 : 1_000, backoff: { firstMs: 0 } },
    trail: { requested: stage, started: stage, completed: stage, failed: stage },
    run: async ({ id, params, step, transaction, emit, progress }) => {
      const { made } = await step(
        "make",
        ({ key }) => {
          outside.keys.add(key)
          return { made: params.name }
        },
        { undo: (result) => void outside.undone.push(`make ${result.made}`) },
      )
      progress(1, 2, "made")
      await emit("item.made", { made })
      await transaction(
        "note",
        async (tx, call) => {
          await tx.query("insert into public.notes values ($1, $2)", [id, made])
          await call.emit("item.noted", {})
        },
        { undo: async () => void outside.undone.push("note") },
      )
      if (fails) throw new Error("no room for items")
      return { made }
    },
  })
}

async function notesOf(id: string): Promise<readonly unknown[]> {
  return db.database.query("select note from public.notes where directive = $1", [id])
}

const BEGUN = ["item.install.requested", "directive.requested", "directive.started", "item.install.started"]

describe.each(placements)("with placement %s, a directive that is killed at any statement", (placement) => {
  test("is taken up again: each effect once, its trail once and in order", { timeout: 300_000 }, async () => {
    const { slug } = await tenantOf(db.database, placement)
    const places = new Set<string>()
    for (let statements = 0; statements < MANY; statements += STRIDE) {
      const outside = new Outside()
      const definitions = [install(outside, false)]
      const { directives } = directiveProcess(db.database, slug, definitions)
      const { directive } = await directives.request("item.install", { name: `n${statements}` })
      const diedAt = await killedAndTakenUp(db.database, slug, definitions, directive.id, statements)
      expect(await directives.get(directive.id), diedAt).toMatchObject({
        status: "completed",
        result: { made: `n${statements}` },
        errorKind: null,
      })
      expect([...outside.keys], diedAt).toEqual([`directive:${directive.id}:make`])
      expect(await notesOf(directive.id), diedAt).toEqual([{ note: `n${statements}` }])
      const trail = await directives.trail(directive.id)
      expect(
        trail.map(({ type }) => type),
        diedAt,
      ).toEqual([...BEGUN, "item.made", "item.noted", "item.install.completed", "directive.completed"])
      if (diedAt === undefined) break
      places.add(diedAt)
    }
    expect(places.size).toBeGreaterThan(STRIDE === 1 ? 12 : 6)
  })

  test("and fails is undone, the last step first, and told once", { timeout: 300_000 }, async () => {
    const { slug } = await tenantOf(db.database, placement)
    for (let statements = 0; statements < MANY; statements += STRIDE) {
      const outside = new Outside()
      const definitions = [install(outside, true)]
      const { directives } = directiveProcess(db.database, slug, definitions)
      const { directive } = await directives.request("item.install", { name: "n" })
      const diedAt = await killedAndTakenUp(db.database, slug, definitions, directive.id, statements)
      const ended = await directives.get(directive.id)
      expect(ended?.status, diedAt).toBe("failed")
      expect(["worker_lost", "error"], diedAt).toContain(ended?.errorKind)
      expect(ended?.errorDetails, diedAt).not.toHaveProperty("undo")
      const steps = await db.database.query<{ name: string; isUndone: boolean }>(
        `select name, undone_at is not null as "isUndone" from ${placement === "own" ? `org_${slug}` : "fleetprompt_shared"}.directive_steps
           where tenant = $1 and directive_id = $2 order by position desc`,
        [slug, directive.id],
      )
      expect(
        steps.every(({ isUndone }) => isUndone),
        diedAt,
      ).toBe(true)
      // An undo that was cut before it was noted is done again.
      const undone = outside.undone.filter((each, at) => each !== outside.undone[at - 1])
      expect(
        undone.map((each) => each.split(" ")[0]),
        diedAt,
      ).toEqual(steps.map(({ name }) => name))
      const types = (await directives.trail(directive.id)).map(({ type }) => type)
      const told = types.filter((type) => type !== "item.made" && type !== "item.noted")
      expect(told, diedAt).toEqual([...BEGUN, "item.install.failed", "directive.failed"])
      if (diedAt === undefined) break
    }
  })
})
