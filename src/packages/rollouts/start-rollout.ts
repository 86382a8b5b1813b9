import { FleetPromptError } from "../../errors.ts"
import { checkSlug } from "../../guard/slug.ts"
import { newId } from "../../signal/id.ts"
import { copyJson } from "../../signal/json.ts"
import type { Queryable } from "../../store/database.ts"
import {
  insertRolloutTenants,
  selectRolloutCandidates,
  selectUnknownTenants,
} from "../../store/package-rollout-tenants.ts"
import { insertRollout, type NewRollout, type RolloutRecord } from "../../store/package-rollouts.ts"
import { selectPackageVersion } from "../../store/package-versions.ts"
import { selectPackage } from "../../store/packages.ts"
import { DELIVERIES_FAILED } from "./delivery-check.ts"
import type { RolloutsDeps } from "./rollouts-deps.ts"
import type { RolloutGate, RolloutRequest } from "./rollouts-door.ts"

const DEFAULT_CANARY = 5
const DEFAULT_WAVE = 50
const DEFAULT_CONCURRENCY = 10
const MAX_CONCURRENCY = 100
const DEFAULT_WAIT_MS = 60_000
const MAX_WAIT_MS = 86_400_000
const MAX_TENANTS = 1_000_000

/** Stores a rollout that begins, with its tenants. */
export async function insertStarted(
  tx: Queryable,
  request: RolloutRequest,
  createdBy: string,
  deps: Pick<RolloutsDeps, "checks">,
): Promise<RolloutRecord> {
  const { package: slug, to = "latest", canary = DEFAULT_CANARY } = request
  const named = typeof canary === "number" ? [] : [...new Set(canary)]
  const fresh: NewRollout = {
    id: newId(),
    package: slug,
    version: await versionToRollOut(tx, slug, to),
    canary: typeof canary === "number" ? whole("canary", canary, 0, MAX_TENANTS) : 0,
    waveSize: whole("wave", request.wave ?? DEFAULT_WAVE, 1, MAX_TENANTS),
    concurrency: whole("concurrency", request.concurrency ?? DEFAULT_CONCURRENCY, 1, MAX_CONCURRENCY),
    maxFailed: whole("maxFailed", request.maxFailed ?? 0, 0, MAX_TENANTS),
    gate: gateOf(request.gate ?? {}, deps),
    createdBy,
  }
  const tenants = await tenantsOf(tx, fresh, named, request.tenants)
  const inserted = await insertRollout(tx, fresh)
  if (!inserted)
    throw new FleetPromptError(
      "rollout_state",
      `expected no other rollout of ${slug} to be under way, there is one; wait for its end, or cancel it`,
    )
  await insertRolloutTenants(tx, fresh.id, tenants, named.length)
  return inserted
}

/** @throws FleetPromptError `package_unknown`, `rollout_invalid` for one that was yanked */
export async function versionToRollOut(tx: Queryable, slug: string, wanted: string): Promise<string> {
  const version = wanted === "latest" ? (await selectPackage(tx, slug))?.latestVersion : wanted
  const found = version === undefined ? undefined : await selectPackageVersion(tx, slug, version)
  if (!found)
    throw new FleetPromptError(
      "package_unknown",
      `expected a version that the catalogue has, got ${JSON.stringify(slug)} ${JSON.stringify(wanted)}; publish it first`,
    )
  if (found.status !== "yanked") return found.version
  throw invalid(`expected a version that may be installed, ${slug} ${found.version} was yanked; take another one`)
}

function gateOf(given: RolloutGate | string, { checks }: Pick<RolloutsDeps, "checks">): NewRollout["gate"] {
  const gate = typeof given === "string" ? { check: given } : given
  const { check = DELIVERIES_FAILED, params = {}, waitMs = DEFAULT_WAIT_MS } = gate
  if (!checks.has(check))
    throw invalid(
      `expected one of the fleet's rollout checks, ${[...checks.keys()].join(", ")}, got ${JSON.stringify(check)}; give it to createFleet({ rolloutChecks })`,
    )
  // A copy of an object is one.
  return {
    check,
    params: copyJson(params, "gate.params") as typeof params,
    waitMs: whole("gate.waitMs", waitMs, 0, MAX_WAIT_MS),
  }
}

/** The canary first. */
async function tenantsOf(
  tx: Queryable,
  { id, package: slug }: NewRollout,
  canary: readonly string[],
  given: readonly string[] | undefined,
): Promise<readonly string[]> {
  const named = [...canary, ...(given ?? [])].map((each) => checkSlug(each))
  const unknown = await selectUnknownTenants(tx, named)
  if (unknown.length > 0)
    throw new FleetPromptError("tenant_unknown", `expected tenants that there are, got ${unknown.join(", ")}`)
  return [...new Set([...named, ...(given ? [] : await selectRolloutCandidates(tx, slug, id))])]
}

function whole(name: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value
  throw invalid(`expected a whole number from ${min} to ${max} as ${name}, got ${String(value)}`)
}

function invalid(message: string): FleetPromptError {
  return new FleetPromptError("rollout_invalid", message)
}
