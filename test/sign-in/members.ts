import { expect } from "vitest"
import { testSlug } from "../support/test-fleet.ts"
import type { SignInServer } from "./sign-in-server.ts"
import type { Visitor } from "./visitor.ts"

export const PASSWORD = "correct horse battery staple"

/** An address of the running test's own. */
export function testEmail(name: string, domain = "acme.example"): string {
  return `${name}.${testSlug(name)}@${domain}`
}

/** An organisation of the running test's own, whose owner has never signed in. */
export async function organisation(server: SignInServer, more = "org"): Promise<string> {
  const { fleet } = server
  const owner = await fleet.people.create({ email: testEmail(`owner-${more}`), name: "Owner" })
  const tenant = testSlug(more)
  await fleet.organisations.create({ tenant, name: `The ${more}`, ownerId: owner.id })
  return tenant
}

/** Somebody invited who came in with a password. */
export async function member(
  server: SignInServer,
  tenant: string,
  { email = testEmail("mia") }: { readonly email?: string } = {},
): Promise<Visitor> {
  const { token } = await server.fleet.tenant(tenant).invitations.create({ email })
  const visitor = server.visitor()
  const answer = await visitor.post("/auth/invitation", { token, name: "Mia", password: PASSWORD })
  expect([answer.status, answer.location, answer.text]).toEqual([303, "/", ""])
  return visitor
}

/** The tenant in which a visitor works; undefined when they are not let in. */
export async function tenantOf(visitor: Visitor): Promise<string | undefined> {
  const { status, text } = await visitor.get("/v1/summary")
  return status === 200 ? (JSON.parse(text) as { tenant: string }).tenant : undefined
}
