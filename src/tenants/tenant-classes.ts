import type { TenantClass } from "../store/tenants.ts"

const CLASSES: Readonly<Record<TenantClass, true>> = { standard: true, premium: true, enterprise: true }

/** Whether a value names a class. */
export function isTenantClass(value: unknown): value is TenantClass {
  return typeof value === "string" && Object.hasOwn(CLASSES, value)
}
