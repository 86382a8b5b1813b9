import { Client, escapeIdentifier } from "pg"
import { expect, onTestFinished, test } from "vitest"
import { createFleet } from "../../src/fleet.ts"
import { createFetchHandler } from "../../src/server/fetch-handler.ts"
import { createSignIn } from "../../src/server/sign-in/sign-in.ts"
import { serverDatabaseUrl } from "../support/test-database.ts"
import { PASSWORD } from "./members.ts"
import { SECRET } from "./sign-in-server.ts"
import { tokenIn } from "./visitor.ts"

const ORIGIN = "https://fleet.example"

/** A login that owns nothing and may take the platform's two roles; its name is the database's, so that it is unique. */
async function applicationLogin(ownerUrl: string): Promise<string> {
  const url = new URL(ownerUrl)
  const name = `app_${url.pathname.slice(1)}`
  const owner = new Client({ connectionString: ownerUrl })
  await owner.connect()
  await owner.query(`create role ${escapeIdentifier(name)} login noinherit password 'of the test'`)
  await owner.query(`grant fleetprompt_tenant, fleetprompt_engine to ${escapeIdentifier(name)}`)
  await owner.end()
  return Object.assign(url, { username: name, password: "of the test" }).href
}

async function rowsSeen(databaseUrl: string, role: string): Promise<string> {
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    await client.query(`set role ${role}`)
    const { rows } = await client.query(`select count(*)::integer as count from fleetprompt_auth.account`)
    return String((rows as readonly { count: number }[])[0]?.count)
  } catch (error) {
    return String(error)
  } finally {
    await client.end()
  }
}

test("sign-in works with a login that owns nothing, and the tenants' role sees none of its rows", async () => {
  const ownerUrl = await serverDatabaseUrl()
  const first = createFleet({ databaseUrl: ownerUrl, worker: false })
  await first.start()
  await first.stop()
  const databaseUrl = await applicationLogin(ownerUrl)
  const fleet = createFleet({ databaseUrl, ownerUrl, worker: false, retention: false })
  await fleet.start()
  onTestFinished(() => fleet.stop({ graceMs: 0 }))
  const faults: unknown[] = []
  const onError = (error: unknown) => void faults.push(error)
  const signIn = await createSignIn(fleet, { publicUrl: ORIGIN, secret: SECRET, onError })
  const handler = createFetchHandler(fleet, { signIn, authenticate: signIn.authenticate, onError })
  const post = async (path: string, form: Record<string, string>): Promise<Response> =>
    handler.fetch(
      new Request(`${ORIGIN}${path}`, { method: "POST", body: new URLSearchParams(form), headers: { origin: ORIGIN } }),
    )
  const token = tokenIn((await signIn.firstOwnerLink()) ?? "")
  const owner = { organisation: "Acme", slug: "acme", name: "Mia", email: "mia@acme.example", password: PASSWORD }
  expect((await post("/auth/first", { ...owner, token })).status).toBe(303)
  const signedIn = await post("/auth/sign-in", { email: owner.email, password: PASSWORD })
  expect(signedIn.status).toBe(303)
  const cookie = signedIn.headers.getSetCookie()[0]?.split(";")[0] ?? ""
  const summary = await handler.fetch(new Request(`${ORIGIN}/v1/summary`, { headers: { cookie } }))
  expect(await summary.json()).toMatchObject({ tenant: "acme" })
  expect(faults).toEqual([])
  expect(await rowsSeen(databaseUrl, "fleetprompt_engine")).toBe("1")
  expect(await rowsSeen(databaseUrl, "fleetprompt_tenant")).toContain("permission denied for schema fleetprompt_auth")
  expect(await rowsSeen(databaseUrl, "none")).toContain("permission denied for schema fleetprompt_auth")
})
