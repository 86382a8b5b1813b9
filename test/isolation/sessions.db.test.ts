import { afterAll, beforeAll, expect, test } from "vitest"
import { member, organisation, PASSWORD, tenantOf, testEmail } from "../sign-in/members.ts"
import { signInServer } from "../sign-in/sign-in-server.ts"
import { testDatabase, type TestDatabase } from "../support/test-database.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

test("another's session and organisation are answered as what is not there, and stay", async () => {
  const server = await signInServer(db.database)
  const [theirs, own] = [await organisation(server, "theirs"), await organisation(server, "own")]
  const anna = await member(server, theirs, { email: testEmail("anna") })
  const mallory = await member(server, own, { email: testEmail("mallory") })
  const [session] = await db.database.query<{ id: string }>(
    `select session.id from fleetprompt_auth.session join fleetprompt_auth."user" as person on person.id = "userId"
     where email = $1`,
    [testEmail("anna")],
  )
  for (const [path, field, id] of [
    ["/auth/sessions", "end", session?.id ?? ""],
    ["/auth/organisations", "tenant", theirs],
  ] as const) {
    const answers = [id, nobodys(id)].map(async (each) => {
      const { status, location, text } = await mallory.post(path, { [field]: each })
      return { status, location, text: text.replaceAll(each, "<id>") }
    })
    const [answer, nothing] = await Promise.all(answers)
    expect(answer, path).toEqual(nothing)
  }
  expect([await tenantOf(anna), await tenantOf(mallory)]).toEqual([theirs, own])
  for (const path of ["/auth/account", "/auth/organisations", `/auth/invitation?token=fpi_${theirs}.x.y`]) {
    const { text } = await mallory.get(path)
    for (const secret of [testEmail("anna"), session?.id ?? "", "The theirs"]) expect(text, path).not.toContain(secret)
  }
  const stranger = await server.visitor().post("/auth/sign-in", { email: testEmail("mallory"), password: PASSWORD })
  expect(stranger.text).not.toContain("The theirs")
})

/** An id of the same form that nobody has, next to it in any order: its last character is another. */
function nobodys(id: string): string {
  const last = id.at(-1) ?? ""
  return `${id.slice(0, -1)}${last === "0" ? "1" : "0"}`
}
