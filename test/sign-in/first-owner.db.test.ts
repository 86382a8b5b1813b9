import { expect, onTestFinished, test } from "vitest"
import { makeLink, withLink } from "../../src/server/sign-in/links.ts"
import type { Database } from "../../src/store/database.ts"
import { testDatabase } from "../support/test-database.ts"
import { PASSWORD, tenantOf } from "./members.ts"
import { signInServer } from "./sign-in-server.ts"
import { linkIn, tokenIn } from "./visitor.ts"

const OWNER = { organisation: "Acme", slug: "acme", name: "Mia", email: "mia@acme.example", password: PASSWORD }

/** Who is first depends on whether there is anybody, so each test has a database of its own. */
async function emptyDatabase(): Promise<Database> {
  const db = await testDatabase()
  onTestFinished(() => db.close())
  return db.database
}

test("the first owner sets up with the printed link: once, and only while there is nobody", async () => {
  const server = await signInServer(await emptyDatabase())
  const [one = "", other = ""] = [await server.signIn.firstOwnerLink(), await server.signIn.firstOwnerLink()]
  const mia = server.visitor()
  expect((await mia.get(linkIn(one))).text).toContain("You are the first here")
  const wrong = await mia.post("/auth/first", { ...OWNER, token: tokenIn(one), slug: "Not a slug" })
  expect([wrong.status, wrong.text.includes("Choose another short name"), wrong.text.includes('value="Acme"')]).toEqual(
    [422, true, true],
  )
  expect(wrong.text).not.toContain(PASSWORD)
  const set = await mia.post("/auth/first", { ...OWNER, token: tokenIn(one) })
  expect([set.status, set.location, set.text]).toEqual([303, "/", ""])
  expect(await tenantOf(mia)).toBe("acme")
  for (const link of [one, other]) {
    expect((await server.visitor().get(linkIn(link))).status).toBe(410)
    expect(
      (
        await server
          .visitor()
          .post("/auth/first", { ...OWNER, email: "eve@evil.example", slug: "evil", token: tokenIn(link) })
      ).status,
    ).toBe(410)
  }
  expect(await server.signIn.firstOwnerLink()).toBeUndefined()
  expect(server.faults).toEqual([])
})

test("only one of two who use the link at once becomes the first owner", async () => {
  const server = await signInServer(await emptyDatabase())
  const token = tokenIn((await server.signIn.firstOwnerLink()) ?? "")
  const answers = await Promise.all(
    ["anna", "ben"].map((name) =>
      server.visitor().post("/auth/first", { ...OWNER, email: `${name}@acme.example`, slug: `org_of_${name}`, token }),
    ),
  )
  expect(answers.map(({ status }) => status).toSorted()).toEqual([303, 410])
  expect(await server.fleet.people.list()).toHaveLength(1)
})

test("a try that failed may be repeated with the same link and address, and a tenant without people be taken over", async () => {
  const server = await signInServer(await emptyDatabase())
  const { fleet } = server
  await fleet.tenants.provision("made_before")
  const token = tokenIn((await server.signIn.firstOwnerLink()) ?? "")
  const mia = server.visitor()
  const short = await mia.post("/auth/first", { ...OWNER, token, password: "too short" })
  expect([short.status, short.text.includes("12 characters")]).toEqual([422, true])
  const reserved = await mia.post("/auth/first", { ...OWNER, token, slug: "postgres" })
  expect(reserved.status).toBe(422)
  const set = await mia.post("/auth/first", { ...OWNER, token, slug: "made_before" })
  expect([set.status, await tenantOf(mia)]).toEqual([303, "made_before"])
})

test("the link's token is kept nowhere", async () => {
  const database = await emptyDatabase()
  const server = await signInServer(database)
  const token = tokenIn((await server.signIn.firstOwnerLink()) ?? "")
  const [row] = await database.query<{ text: string }>(
    "select string_agg(links::text, ' ') as text from fleetprompt_auth.links",
  )
  expect(row?.text).toContain("first_owner")
  expect(row?.text).not.toContain(token)
})

test("a token is used up by the first who comes, and given back when what it was for failed", async () => {
  const database = await emptyDatabase()
  await signInServer(database)
  const token = await makeLink(database, "sign_up", "mia@acme.example")
  const failing = withLink(database, "sign_up", token, () => Promise.reject(new Error("of the test")))
  await expect(failing).rejects.toThrow("of the test")
  let runs = 0
  const use = () => withLink(database, "sign_up", token, async () => void (runs += 1))
  const used = await Promise.all([use(), use(), use()])
  expect([used.filter(Boolean).length, runs, await use()]).toEqual([1, 1, false])
  expect(await withLink(database, "first_owner", token, async () => {})).toBe(false)
})
