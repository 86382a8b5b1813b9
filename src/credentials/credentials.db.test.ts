import { inspect } from "node:util"
import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { placements, tenantOf } from "../../test/support/tenant-rows.ts"
import { type TestDatabase, testDatabase } from "../../test/support/test-database.ts"
import { testFleet, testSlug } from "../../test/support/test-fleet.ts"
import { isFleetPromptError } from "../errors.ts"
import type { JsonObject } from "../signal/json.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { Placements } from "../store/placements.ts"
import type { CredentialInput } from "./credential-input.ts"
import { Credentials } from "./credentials.ts"
import { KeyRing } from "./key-ring.ts"
import { createLocalKey, formatKeys, localKeys } from "./local-keys.ts"

let opened: TestDatabase

beforeAll(async () => {
  opened = await testDatabase()
})
afterAll(() => opened.close())

const ada = { kind: "user", id: "ada", role: "admin" } as const
const github: CredentialInput = {
  provider: "github",
  account: "octokit",
  kind: "api_key",
  secret: { token: "the-token-of-octokit" },
  scopes: ["repo"],
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "done",
    (error: unknown) => (isFleetPromptError(error) ? error.code : String(error)),
  )
}

/** What is noted of a tenant's credentials: action, outcome, actor. */
async function noted(slug: string, schema = `"org_${slug}"`): Promise<readonly string[]> {
  const line = `action || ' ' || outcome || ' ' || actor_id as line`
  const rows = await opened.database.owner.transaction((tx) =>
    tx.query<{ readonly line: string }>(
      `select line from (
         select id, ${line} from fleetprompt.audit_intake where tenant = $1
         union select id, ${line} from ${schema}.audit_log where tenant = $1
       ) as entry order by id`,
      [slug],
    ),
  )
  return rows.map((row) => row.line)
}

describe("a tenant's credentials", () => {
  test("are stored, listed, replaced, used, revoked and removed, each noted", async () => {
    const { tenant } = await testFleet(opened.database)
    const { id, createdAt } = await tenant.credentials.create({ ...github, expiresAt: new Date("2999-01-01Z") }, ada)
    const [listed] = await tenant.credentials.list()
    expect(listed).toEqual({
      id,
      provider: "github",
      account: "octokit",
      kind: "api_key",
      status: "active",
      scopes: ["repo"],
      expiresAt: new Date("2999-01-01Z"),
      version: 1,
      problem: null,
      createdBy: "user:ada",
      createdAt,
      updatedAt: createdAt,
      lastUsedAt: null,
    })
    expect((await tenant.credentials.use(id, ada)).reveal("token")).toBe("the-token-of-octokit")
    const replaced = await tenant.credentials.replace(id.toUpperCase(), { secret: { token: "another-token" } }, ada)
    expect(replaced).toMatchObject({ id, version: 2, scopes: ["repo"], expiresAt: new Date("2999-01-01Z") })
    const used = await tenant.credentials.use(id, ada)
    expect(used.reveal()).toEqual({ token: "another-token" })
    expect(await tenant.credentials.get(id)).toMatchObject({ lastUsedAt: expect.any(Date) as Date })
    expect(await tenant.credentials.revoke(id, ada)).toMatchObject({ status: "revoked" })
    expect(await codeOf(tenant.credentials.use(id, ada))).toBe("credential_unusable")
    expect(await codeOf(tenant.credentials.replace(id, { secret: { token: "x" } }, ada))).toBe("credential_unusable")
    await tenant.credentials.remove(id, ada)
    expect(await tenant.credentials.list()).toEqual([])
    expect(await noted(tenant.slug)).toEqual([
      "credential.create done ada",
      "credential.use done ada",
      "credential.replace done ada",
      "credential.use done ada",
      "credential.revoke done ada",
      "credential.use denied ada",
      "credential.remove done ada",
    ])
  })

  test("of one provider, account and kind there is one that is not revoked", async () => {
    const { tenant } = await testFleet(opened.database)
    const { id } = await tenant.credentials.create(github, ada)
    expect(await codeOf(tenant.credentials.create(github, ada))).toBe("credential_exists")
    await tenant.credentials.create({ ...github, kind: "webhook_secret" }, ada)
    await tenant.credentials.revoke(id, ada)
    const { id: next } = await tenant.credentials.create(github, ada)
    expect((await tenant.credentials.list({ status: "active" })).map((each) => each.id)).toContain(next)
    expect((await tenant.credentials.list({ status: "revoked" })).map((each) => each.id)).toEqual([id])
    expect((await tenant.credentials.list({ after: id })).length).toBe(2)
  })

  test("a revoked one has no secret left in the database, and revoking twice is no error", async () => {
    const { tenant } = await testFleet(opened.database)
    const { id } = await tenant.credentials.create(github, ada)
    await tenant.credentials.revoke(id, ada)
    expect(await tenant.credentials.revoke(id, ada)).toMatchObject({ status: "revoked" })
    const [row] = await opened.database.owner.transaction((tx) =>
      tx.query(
        `select length(secret) as secret, length(data_key) as key from org_${tenant.slug}.credentials where id = $1::text::uuid`,
        [id],
      ),
    )
    expect(row).toEqual({ secret: 0, key: 0 })
  })

  test("one that has expired is not given out, by the database's clock", async () => {
    const { tenant } = await testFleet(opened.database)
    const { id } = await tenant.credentials.create({ ...github, expiresAt: new Date(Date.now() - 1_000) }, ada)
    expect(await tenant.credentials.get(id)).toMatchObject({ status: "expired" })
    expect(await codeOf(tenant.credentials.use(id, ada))).toBe("credential_unusable")
    await tenant.credentials.replace(id, { secret: { token: "new" }, expiresAt: null }, ada)
    expect(await codeOf(tenant.credentials.use(id, ada))).toBe("done")
  })

  test("another tenant's id, and what is no id, are unknown", async () => {
    const { fleet, tenant } = await testFleet(opened.database)
    const { id } = await tenant.credentials.create(github, ada)
    await fleet.tenants.provision(testSlug("other"))
    const other = fleet.tenant(testSlug("other"))
    for (const wrong of [id, "0", "'; drop table x; --"]) {
      expect(await codeOf(other.credentials.use(wrong, ada))).toBe("credential_unknown")
      expect(await codeOf(other.credentials.replace(wrong, { secret: { a: "b" } }, ada))).toBe("credential_unknown")
      expect(await codeOf(other.credentials.revoke(wrong, ada))).toBe("credential_unknown")
      expect(await codeOf(other.credentials.remove(wrong, ada))).toBe("credential_unknown")
      expect(await other.credentials.get(wrong)).toBeUndefined()
    }
    expect(await other.credentials.list()).toEqual([])
  })

  test("wrong input is refused, and the message holds nothing of the secret", async () => {
    const { tenant } = await testFleet(opened.database)
    const wrong: readonly object[] = [
      { provider: "Git Hub" },
      { provider: "" },
      { account: "" },
      { account: "a\u0000b" },
      { kind: "password" },
      { scopes: [""] },
      { scopes: Array.from({ length: 101 }, () => "a") },
      { expiresAt: new Date(Number.NaN) },
      { secret: {} },
      { secret: [] },
      { secret: "planted-text" },
      { secret: { "planted-key": undefined } },
      { secret: { a: "planted-text".repeat(10_000) } },
    ]
    for (const change of wrong) {
      const error: unknown = await tenant.credentials.create({ ...github, ...change }, ada).catch((e: unknown) => e)
      expect(error).toMatchObject({ code: "credential_invalid" })
      expect(inspect(error, { depth: 9 })).not.toContain("planted")
    }
    expect(await codeOf(tenant.credentials.list({ limit: 0 }))).toBe("query_invalid")
  })

  test("printed in any way, one shows its id alone", async () => {
    const { tenant } = await testFleet(opened.database)
    const { id } = await tenant.credentials.create(github, ada)
    const credential = await tenant.credentials.use(id, ada)
    const shown = `[credential ${id}]`
    expect(String(credential)).toBe(shown)
    expect(["a", credential].join()).toBe(`a,${shown}`)
    expect(JSON.stringify({ credential })).toBe(JSON.stringify({ credential: shown }))
    expect(inspect(credential, { showHidden: true, depth: 9 })).toBe(shown)
    expect(new Error(`no access with ${String(credential)}`).message).toBe(`no access with ${shown}`)
    const copies = [
      structuredClone(Object.fromEntries(Object.entries(credential))),
      Object.entries(credential),
      Object.getOwnPropertyNames(credential),
    ]
    expect(inspect(copies, { showHidden: true, depth: 9 })).not.toContain("the-token")
  })

  test("many at once get one version each, and none is lost", async () => {
    const { tenant } = await testFleet(opened.database)
    const { id } = await tenant.credentials.create(github, ada)
    const tokens = Array.from({ length: 4 }, (_, index) => `token-${index}`)
    const replaced = await Promise.all(
      tokens.map((token) => tenant.credentials.replace(id, { secret: { token } }, ada)),
    )
    expect(replaced.map(({ version }) => version).toSorted()).toEqual([2, 3, 4, 5])
    expect(tokens).toContain((await tenant.credentials.use(id, ada)).reveal("token"))
  })

  test("1,000 uses at once are each noted, in few commits", async () => {
    const { fleet, tenant } = await testFleet(opened.database)
    const { id } = await tenant.credentials.create(github, ada)
    let appends = 0
    fleet.telemetry.listen({
      steps: ["statement"],
      stop: (span) => {
        if (span.name === "statement" && span.fields.statement === "insertAuditIntake") appends += 1
      },
    })
    await Promise.all(Array.from({ length: 1_000 }, () => tenant.credentials.use(id, ada)))
    expect(appends).toBeGreaterThan(0)
    expect(appends).toBeLessThan(20)
    expect((await noted(tenant.slug)).filter((line) => line === "credential.use done ada")).toHaveLength(1_000)
  })
})

/** Two processes with one database: what each remembers is its own. */
function process(keys: string): Credentials {
  const { database } = opened
  const ring = new KeyRing(database, localKeys(keys))
  return new Credentials({ database, placements: new Placements(database), ring, worker: "w", refreshers: [] })
}

const KEYS = formatKeys([createLocalKey()])

describe("the envelope", () => {
  test.each(placements)("any secret comes out as it went in (%s)", async (placement) => {
    const { slug } = await tenantOf(opened.database, placement)
    const credentials = process(KEYS)
    let account = 0
    const secret = fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue({ maxDepth: 3, noUnicodeString: false }), {
      minKeys: 1,
    })
    await fc.assert(
      fc.asyncProperty(secret, async (given) => {
        // What JSON cannot keep is refused, so that only what it can is compared.
        const value = JSON.parse(JSON.stringify(given)) as JsonObject
        const { id } = await credentials.create(slug, { ...github, account: `a${(account += 1)}`, secret: value }, ada)
        expect((await credentials.use(slug, id, { actor: ada })).reveal()).toEqual(value)
      }),
      { numRuns: 40 },
    )
  })

  test.each(placements)(
    "a row that was changed, moved or copied does not open, and does not say why (%s)",
    async (placement) => {
      const scope = await tenantOf(opened.database, placement)
      const other = await tenantOf(opened.database, placement, "other")
      const credentials = process(KEYS)
      const make = async ({ slug }: TenantScope, account: string) =>
        (await credentials.create(slug, { ...github, account }, ada)).id
      const [first, second] = [await make(scope, "1"), await make(scope, "2")]
      const foreign = await make(other, "1")
      const column = (name: string, from: string, { schema, slug }: TenantScope): string =>
        `(select ${name} from ${schema}.credentials as f where f.tenant = '${slug}' and f.id = '${from}')`
      const both = (from: string, scope: TenantScope): string =>
        `secret = ${column("secret", from, scope)}, data_key = ${column("data_key", from, scope)}`
      const flip = (name: string, at: string): string =>
        `${name} = set_byte(${name}, ${at}, get_byte(${name}, ${at}) # 1)`
      const attacks = [
        both(second, scope),
        both(foreign, other),
        "secret = data_key, data_key = secret",
        "version = version + 1",
        "key_id = 'another'",
        ...["secret", "data_key"].flatMap((name) => [
          flip(name, "0"),
          flip(name, "5"),
          flip(name, "20"),
          flip(name, `length(${name}) - 1`),
          `${name} = substring(${name} for length(${name}) - 12)`,
          `${name} = ''`,
        ]),
      ]
      for (const attack of attacks) {
        const id = await make(scope, attack.slice(0, 150))
        await opened.database.owner.transaction((tx) =>
          tx.query(`update ${scope.schema}.credentials set ${attack} where tenant = $1 and id = $2::text::uuid`, [
            scope.slug,
            id,
          ]),
        )
        const error: unknown = await credentials.use(scope.slug, id, { actor: ada }).catch((e: unknown) => e)
        expect(error, attack).toMatchObject({
          code: attack.includes("'another'") ? "key_unknown" : "secret_unreadable",
        })
        expect(error instanceof Error && error.cause).toBeUndefined()
      }
      expect((await credentials.use(scope.slug, first, { actor: ada })).reveal("token")).toBe("the-token-of-octokit")
    },
  )

  test("another ring with a key of the same id is refused before it seals anything", async () => {
    const { slug } = await tenantOf(opened.database, "own")
    await process(`same:${Buffer.from(createLocalKey().bytes).toString("base64")}`).create(slug, github, ada)
    const other = process(`same:${Buffer.from(createLocalKey().bytes).toString("base64")}`)
    expect(await codeOf(other.create(slug, { ...github, account: "other" }, ada))).toBe("config_invalid")
  })
})

describe("a revocation", () => {
  test("is felt by another process within two seconds", async () => {
    const { slug } = await tenantOf(opened.database, "own")
    const [here, there] = [process(KEYS), process(KEYS)]
    const { id } = await here.create(slug, github, ada)
    await there.use(slug, id, { actor: ada })
    await here.revoke(slug, id, ada)
    const revokedAt = performance.now()
    while ((await codeOf(there.use(slug, id, { actor: ada }))) === "done")
      expect(performance.now() - revokedAt).toBeLessThan(2_000)
    expect(await noted(slug)).toContain("credential.use denied ada")
  })
})
