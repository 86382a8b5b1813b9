import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { policyTable } from "../../test/support/policy-table.ts"
import { type Permission, permissions, policies, type Policy } from "./policies.ts"
import {
  type AccessListener,
  AccessPolicy,
  type Denied,
  denialOf,
  isAllowed,
  NO_TENANT,
  type Resource,
} from "./policy.ts"
import type { Principal, Role } from "./principal.ts"
import { type Restrictions, RestrictionsBook } from "./restrictions.ts"
import { isScope } from "./scopes.ts"

const ROLES: readonly Role[] = ["member", "admin", "owner", "operator"]
const KINDS: readonly Principal["kind"][] = ["user", "host", "operator", "api_key", "service_account"]
const MACHINES = new Set<string>(["api_key", "service_account"])

/** Scopes, and whether they let a permission through. */
function scopesFor(permission: Permission): readonly (readonly [readonly string[] | undefined, boolean])[] {
  const [resource, action] = permission.split(":")
  const other = permission === "health:read" ? "signals:emit" : "health:read"
  return [
    [undefined, true],
    [["*"], true],
    [[permission], true],
    [[`${resource}:*`], true],
    [[`*:${action}`], true],
    [[other, permission], true],
    [[], false],
    [[other === "health:read" && action === "read" ? "signals:emit" : other], false],
    [[`${resource}x:*`], false],
    [[permission.toUpperCase()], false],
  ]
}

const WHOSE: readonly (readonly [string, Resource])[] = [
  ["something", {}],
  ["somebody's", { belongsTo: "somebody" }],
  ["their own", { belongsTo: "me" }],
]

/** Only such a kind may have the role: no key or user is an operator, and an operator is nothing else. */
function isTrue(kind: Principal["kind"], role: Role): boolean {
  return kind === "host" || (kind === "operator") === (role === "operator")
}

test("the table of policies and the one written by hand have the same rows", () => {
  expect(policyTable.map(({ permission }) => permission)).toEqual(permissions)
  expect(new Set(policyTable.flatMap(({ roles }) => Object.values(roles)))).toEqual(new Set(["y", "-", "own"]))
})

describe("every kind of caller with every role and scope", () => {
  test.each(policyTable)("$permission", ({ permission: name, roles, machine }) => {
    // The test before says that it is one.
    const permission = name as Permission
    const wrong: string[] = []
    let count = 0
    for (const role of ROLES) {
      for (const kind of KINDS) {
        for (const [scopes, isInScope] of scopesFor(permission)) {
          for (const [whose, resource] of WHOSE) {
            const mayByRole = roles[role] === "y" || (roles[role] === "own" && whose === "their own")
            const expected = mayByRole && isTrue(kind, role) && (machine || !MACHINES.has(kind)) && isInScope
            const principal: Principal = { kind, id: "me", tenant: "acme", role, ...(scopes && { scopes }) }
            count += 1
            if (isAllowed(principal, permission, resource) !== expected)
              wrong.push(`${kind} ${role} [${String(scopes)}] ${whose}: expected ${expected}`)
            if (isAllowed(principal, permission, { ...resource, tenant: "other" }))
              wrong.push(`${kind} ${role} reaches another tenant`)
          }
        }
      }
    }
    expect(wrong).toEqual([])
    expect(count).toBe(ROLES.length * KINDS.length * 10 * WHOSE.length)
  })
})

test("nobody gives or touches a role above their own, or makes an operator", () => {
  const of = (role: Role): Principal => ({
    kind: role === "operator" ? "operator" : "user",
    id: "me",
    tenant: "acme",
    role,
  })
  const may = (role: Role, given: Role): boolean => isAllowed(of(role), "invitations:create", { role: given })
  expect(ROLES.map((role) => ROLES.filter((given) => may(role, given)))).toEqual([
    [],
    ["member", "admin"],
    ["member", "admin", "owner"],
    ["member", "admin", "owner"],
  ])
})

test.each<[readonly string[] | undefined, readonly string[] | null, boolean]>([
  [undefined, null, true],
  [undefined, ["*"], true],
  [["*"], null, true],
  [["*"], ["signals:read"], true],
  [["api_keys:*"], null, false],
  [["api_keys:*"], ["*"], false],
  [["api_keys:*"], ["api_keys:create"], true],
  [["api_keys:*"], ["api_keys:*"], true],
  [["api_keys:create", "signals:read"], ["signals:read"], true],
  [["api_keys:create"], ["signals:read"], false],
  [["api_keys:create", "signals:read"], ["signals:*"], false],
  [["api_keys:*", "*:read"], ["signals:read", "members:read"], true],
  [["api_keys:*", "*:read"], ["signals:read", "signals:emit"], false],
  [["api_keys:*"], [], true],
])("a key with the scopes %j may give %j away: %s", (scopes, given, expected) => {
  const principal: Principal = { kind: "api_key", id: "k", tenant: "acme", role: "owner", ...(scopes && { scopes }) }
  expect(isAllowed(principal, "api_keys:create", { scopes: given })).toBe(expected)
})

test("who has scopes may never do more than who has none", () => {
  const scope = fc.oneof(
    fc.constantFrom<string>(...permissions, "*", "signals:*", "*:read", "nothing"),
    fc.string({ maxLength: 12 }),
  )
  fc.assert(
    fc.property(
      fc.constantFrom(...KINDS),
      fc.constantFrom(...ROLES),
      fc.array(scope, { maxLength: 4 }),
      fc.constantFrom(...permissions),
      (kind, role, scopes, permission) => {
        const principal: Principal = { kind, id: "me", tenant: "acme", role }
        return !isAllowed({ ...principal, scopes }, permission) || isAllowed(principal, permission)
      },
    ),
  )
})

test("a scope must allow something", () => {
  expect(["*", "signals:read", "signals:*", "*:read", "api_keys:rotate"].filter(isScope).length).toBe(5)
  expect(["", "signals", "signals:fly", "dragons:*", "*:fly", "signals:read ", "**", "*:*"].filter(isScope)).toEqual([])
})

test("who has chosen no tenant may do nothing; an operator then may do what is done to tenants", () => {
  const person: Principal = { kind: "user", id: "me", tenant: NO_TENANT, role: "member" }
  expect(permissions.filter((permission) => isAllowed(person, permission))).toEqual([])
  const operator: Principal = { kind: "operator", id: "me", tenant: NO_TENANT, role: "operator" }
  expect(isAllowed(operator, "tenants:suspend", { tenant: "acme" })).toBe(true)
  expect(isAllowed(operator, "tenants:list")).toBe(true)
  expect(
    permissions.filter(
      (permission) => isAllowed(operator, permission) && !/^(tenants|schedules|packages|health):/.test(permission),
    ),
  ).toEqual([])
})

/** A fleet's decisions, with nothing to share them through. */
function policyOf(restrictions: Restrictions, listener: Partial<AccessListener> = {}): AccessPolicy {
  const book = new RestrictionsBook(restrictions, { read: async () => ({}), write: async () => {} })
  return new AccessPolicy(book, { onDenied: () => {}, onOperator: async () => {}, ...listener })
}

describe("a fleet's restrictions", () => {
  const member: Principal = { kind: "user", id: "m", tenant: "acme", role: "member" }

  test("take away, hold at once, and are taken back", async () => {
    const policy = policyOf({})
    let changes = 0
    const end = policy.onChange(() => (changes += 1))
    expect(policy.isAllowed(member, "signals:emit")).toBe(true)
    await policy.restrict({ "signals:emit": ["owner"] })
    expect(policy.isAllowed(member, "signals:emit")).toBe(false)
    expect(policy.isAllowed({ ...member, role: "owner" }, "signals:emit")).toBe(true)
    await policy.restrict({})
    expect(policy.isAllowed(member, "signals:emit")).toBe(true)
    end()
    await policy.restrict({ "signals:emit": [] })
    expect(changes).toBe(2)
  })

  test("of the options stay beside those of all processes", async () => {
    const policy = policyOf({ "signals:emit": ["owner", "admin"] })
    await policy.restrict({ "signals:emit": ["admin", "member"], "signals:read": ["admin"] })
    expect(policy.restrictions).toEqual({ "signals:emit": ["admin"], "signals:read": ["admin"] })
    await policy.restrict({})
    expect(policy.restrictions).toEqual({ "signals:emit": ["owner", "admin"] })
  })

  test("never give anything", () => {
    const permission = fc.constantFrom(...permissions)
    fc.assert(
      fc.property(
        fc.dictionary(permission, fc.subarray([...ROLES])),
        fc.constantFrom(...KINDS),
        fc.constantFrom(...ROLES),
        permission,
        (restrictions, kind, role, wanted) => {
          const principal: Principal = { kind, id: "me", tenant: "acme", role }
          return denialOf(principal, wanted, {}, restrictions) !== undefined || isAllowed(principal, wanted)
        },
      ),
    )
  })

  test.each([{ "signals:fly": ["owner"] }, { "signals:emit": ["boss"] }, { "signals:emit": "owner" }])(
    "that are misspelt are refused: %j",
    async (restrictions) => {
      // As a caller without types gives them.
      expect(() => policyOf(restrictions as object)).toThrow("expected a permission with roles")
      await expect(policyOf({}).restrict(restrictions as object)).rejects.toThrow("expected a permission with roles")
    },
  )

  test("decide which signals are seen", async () => {
    const policy = policyOf({})
    expect(ROLES.map((role) => policy.visibleTo({ ...member, kind: "host", role }))).toEqual([
      ["internal"],
      ["internal", "admin_only"],
      ["internal", "admin_only"],
      ["internal", "admin_only"],
    ])
    await policy.restrict({ "signals:read_admin_only": ["owner"], "signals:read": ["owner", "admin"] })
    expect(policy.visibleTo(member)).toEqual([])
    expect(policy.visibleTo({ ...member, role: "admin" })).toEqual(["internal"])
  })
})

describe("a denial", () => {
  const denied: Denied[] = []
  const looks: string[] = []
  const policy = policyOf(
    {},
    {
      onDenied: (each) => void denied.push(each),
      onOperator: async ({ id }, action) => void looks.push(`${id} ${action}`),
    },
  )

  test.each<[Partial<Principal>, Permission, Resource, string, string]>([
    [{}, "credentials:read", {}, "forbidden", "expected the role owner or admin"],
    [{}, "sessions:read", {}, "forbidden", "expected something that is your own"],
    [{ kind: "api_key", role: "owner" }, "members:add", {}, "forbidden", "expected a person"],
    [{ kind: "api_key", scopes: [] }, "signals:read", {}, "forbidden", "expected a key with that scope"],
    [{ role: "admin" }, "invitations:create", { role: "owner" }, "forbidden", "no role or scope above"],
    [{ tenant: NO_TENANT }, "signals:read", {}, "forbidden", "chosen an organisation"],
    [{ role: "owner" }, "signals:read", { tenant: "other" }, "not_found", "expected something of your own tenant"],
  ])("of %j for %s on %j is told", (who, action, resource, code, message) => {
    denied.length = 0
    const principal: Principal = { kind: "user", id: "m", tenant: "acme", role: "member", ...who }
    expect(() => policy.authorise(principal, action, resource)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    )
    expect(denied).toMatchObject([{ principal, action, resource }])
  })

  test("never comes with a look of an operator, who is heard of before anything happens", async () => {
    const operator: Principal = { kind: "operator", id: "opal", tenant: "acme", role: "operator" }
    await policy.admit(operator, "signals:read")
    await expect(policy.admit(operator, "signals:emit")).rejects.toMatchObject({ code: "forbidden" })
    await policy.admit({ ...operator, kind: "user", role: "owner" }, "signals:read")
    expect(looks).toEqual(["opal signals:read"])
  })
})

test("docs/reference/policies.md is the table of policies", async () => {
  const rows = Object.entries<Policy>(policies).map(([permission, { roles, own = [], people }]) => {
    const cells = ROLES.map((role) => (roles.includes(role) ? "yes" : own.includes(role) ? "own" : ""))
    // No key and no account is an operator.
    const mayMachine = !people && [...roles, ...own].some((role) => role !== "operator")
    return `| \`${permission}\` | ${cells.join(" | ")} | ${mayMachine ? "yes" : ""} |`
  })
  const page = [
    "# Policies",
    "",
    "Who may do what: all of it, made from the one table in the code. A person, key or token has a role in a tenant; a key may be limited to some of these by its scopes as well. What is not here nobody may do. The guide [People and roles](../guides/people-and-roles.md) explains the words.",
    "",
    "`yes`: may. `own`: only with what is their own. The last column says whether an API key or a service account may, when its role and scopes let it; otherwise it takes a person.",
    "",
    "| what | member | admin | owner | operator | key, account |",
    "| --- | --- | --- | --- | --- | --- |",
    ...rows,
    "",
    "Nobody gives, takes or touches a role above their own: an admin neither makes nor removes an owner. Nobody makes an operator but the program itself. A key gives no scopes away that it does not have.",
    "",
    "A scope is a row (`signals:read`), all of a resource (`signals:*`), an action on every resource (`*:read`), or `*`.",
    "",
  ].join("\n")
  await expect(page).toMatchFileSnapshot("../../docs/reference/policies.md")
})
