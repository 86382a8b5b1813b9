import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { told } from "./access-calls.ts"
import { nobodys } from "./access-side.ts"
import { type Ground, openGround, PAIRS } from "./ground.ts"
import { orderCallsOf, orderedCallsOf, type OrderIdKind } from "./order-calls.ts"
import { KIT } from "./orders.ts"
import { rowsOf, type Side, textOf } from "./sides.ts"

/* Directives and packages: with the ids of another tenant nobody orders, learns or changes more than with ids that nothing has. */

const SETUP_MS = 240_000
let ground: Ground
beforeAll(async () => {
  ground = await openGround()
}, SETUP_MS)
afterAll(() => ground.close())

/** What a caller sees, without what each answer has of its own: ids, checksums, moments. */
function plain(gist: string): string {
  return gist
    .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "<id>")
    .replaceAll(/[0-9a-f]{64}/g, "<checksum>")
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "<moment>")
}

function idsOf({ orders, ids, scope }: Side): Readonly<Record<OrderIdKind, string>> {
  return { ...orders, signal: ids[0] ?? "", slug: scope.slug }
}

describe.each(PAIRS)("%s", (_name, pair) => {
  test("each door answers to an id of another's as to one that nothing has", { timeout: SETUP_MS }, async () => {
    const [a, b] = pair(ground)
    await ground.fleet.drain()
    const before = await rowsOf(ground.database, a.scope)
    const from = ground.told.length
    for (const [name, ask] of Object.entries(orderCallsOf(ground.fleet, b)))
      for (const [kind, id] of Object.entries(idsOf(a))) {
        const answer = await told(ask, id)
        expect(answer.text, `${name} with a ${kind}`).not.toContain(a.marker)
        expect(plain(answer.gist), `${name} with a ${kind}`).toBe(plain((await told(ask, nobodys(id))).gist))
      }
    await ground.fleet.drain()
    expect(await rowsOf(ground.database, a.scope)).toEqual(before)
    const lines = [...ground.told.slice(from), await ground.metrics()]
    expect(lines.filter((line) => line.includes(a.marker))).toEqual([])
  })

  test("and so does what is ordered about it, when it is carried out", { timeout: SETUP_MS }, async () => {
    const [a, b] = pair(ground)
    await ground.fleet.drain()
    const before = await rowsOf(ground.database, a.scope)
    const from = ground.told.length
    for (const [name, kind, ask] of orderedCallsOf(b)) {
      const id = idsOf(a)[kind]
      const answer = await told(ask, id)
      expect(answer.text, name).not.toContain(a.marker)
      expect(plain(answer.gist), name).toBe(plain((await told(ask, nobodys(id))).gist))
    }
    expect(await rowsOf(ground.database, a.scope)).toEqual(before)
    expect(ground.told.slice(from).filter((line) => line.includes(a.marker))).toEqual([])
    // The owner of each is still well, and finds what is theirs.
    for (const { tenant, orders, marker } of [a, b]) {
      expect(await tenant.directives.get(orders.waiting)).toMatchObject({ status: "requested", reason: marker })
      expect(await tenant.packages.execute(KIT, "say", {})).toEqual({ input: {}, note: marker })
      expect(textOf(await tenant.packages.get(orders.installation))).toContain(marker)
    }
  })
})
