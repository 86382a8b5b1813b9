import { isPermission, type Permission, permissions } from "./policies.ts"

/**
 * What a key is limited to: `signals:read` is one permission, `signals:*` all of a resource, `*:read` an action on
 * all resources, `*` everything.
 */
const SCOPE = /^(?:\*|[a-z_]+:\*|\*:[a-z_]+|[a-z_]+:[a-z_]+)$/

/** Whether a text is a scope that allows anything at all. */
export function isScope(scope: string): boolean {
  return SCOPE.test(scope) && permissions.some((permission) => matches(scope, permission))
}

/** Whether scopes allow something; undefined: there is no limit. */
export function scopesAllow(scopes: readonly string[] | undefined, permission: Permission): boolean {
  return scopes === undefined || scopes.some((scope) => matches(scope, permission))
}

/**
 * Whether whoever has the scopes `held` may give away `wanted`: nothing that they could not do themselves.
 *
 * @param held undefined: no limit.
 * @param wanted null: no limit.
 */
export function coversScopes(held: readonly string[] | undefined, wanted: readonly string[] | null): boolean {
  if (held === undefined || held.includes("*")) return true
  // A pattern means more once the table has grown, so only what the held ones cover as patterns counts.
  return wanted !== null && wanted.every((scope) => held.some((each) => covers(each, scope)))
}

function covers(held: string, wanted: string): boolean {
  return held === wanted || (isPermission(wanted) && matches(held, wanted))
}

function matches(scope: string, permission: Permission): boolean {
  if (scope === "*" || scope === permission) return true
  const [resource, action] = permission.split(":")
  return scope === `${resource}:*` || scope === `*:${action}`
}
