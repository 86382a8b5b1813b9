import type { RolloutState } from "../packages/rollouts/rollouts-door.ts"
import type { RolloutTenant } from "../store/package-rollout-tenants.ts"
import type { RolloutRecord } from "../store/package-rollouts.ts"
import { columns } from "./migration-tables.ts"
import { formatCount } from "./progress-bar.ts"

/** Rollouts, as people read them. */
export function rolloutTable(rollouts: readonly RolloutRecord[]): string {
  if (rollouts.length === 0) return "no rollouts; begin one with fleetprompt packages rollout start <package> <version>"
  const rows = rollouts.map(({ id, package: slug, version, status, createdAt, createdBy }) => [
    id,
    slug,
    version,
    status,
    createdAt.toISOString().slice(0, 16).replace("T", " "),
    createdBy,
  ])
  return columns([["id", "package", "version", "status", "begun", "by"], ...rows])
}

/** One rollout with how far it is, as people read it. @param told tenants with why they are as they are */
export function rolloutText(state: RolloutState, told: readonly RolloutTenant[]): string {
  const { id, package: slug, version, status, done, total, verdict, stopReason } = state
  const counts = Object.entries(state.tenants).filter(([, count]) => count > 0)
  const gate =
    verdict && `gate: ${verdict.healthy ? "passed" : "did not pass"} after wave ${verdict.wave}, ${verdict.reason}`
  return [
    `${id}  ${slug} ${version}  ${status}`,
    `${formatCount(done)} of ${formatCount(total)} tenants: ${counts.map(([name, count]) => `${formatCount(count)} ${name}`).join(", ")}`,
    ...(gate ? [gate] : []),
    ...(stopReason === null ? [] : [`why: ${stopReason}`]),
    ...told.map(({ tenant, state: how, reason }) => `  ${tenant}  ${how}${reason === null ? "" : `  ${reason}`}`),
  ].join("\n")
}
