import type { Database } from "../store/database.ts"
import { checkDurability } from "../store/durability.ts"
import { checkAudit } from "./doctor-audit.ts"
import type { DoctorLine, DoctorPatient } from "./doctor-line.ts"
import { checkMigrations } from "./doctor-migrations.ts"
import { countWalls, selectServerState } from "../store/server-state.ts"
import { checkGaps, checkLogin, checkRoles, checkTables, type WallCheck } from "../store/wall-checks.ts"

/** One look. */
export type DoctorCheck = (
  patient: DoctorPatient,
) => DoctorLine | readonly DoctorLine[] | Promise<readonly DoctorLine[]>

const OLDEST_VERSION = 140_000
const NEWEST_VERSION = 190_000
/** A server with fewer connections left will soon refuse some. */
const FEW_CONNECTIONS = 0.2
/** Leases and limits go by the server's clock, but the times of signals by this machine's. */
const CLOCK_TOLERANCE_MS = 1_000
/** A transaction that is open for longer makes the queue's table grow. */
const OLD_SNAPSHOT_S = 300
const HEAR_WITHIN_MS = 2_000
const CHANNEL = "fleetprompt_doctor"

const version: DoctorCheck = ({ state }) => {
  const isKnown = state.versionNumber >= OLDEST_VERSION && state.versionNumber < NEWEST_VERSION
  if (isKnown) return { check: "version", status: "ok", detail: `Postgres ${state.version}` }
  return {
    check: "version",
    status: "warning",
    detail: `Postgres ${state.version}; FleetPrompt is tried with 14 to 18`,
    advice: "use one of these",
  }
}

const schemas: DoctorCheck = async ({ database, state }) => {
  if (!state.isSetUp) return [notSetUp]
  const { tables, schemas: count } = await countWalls(database)
  return [{ check: "schemas", status: "ok", detail: `${count} schemas, walls around ${tables} tables` }]
}

const notSetUp: DoctorLine = {
  check: "schemas",
  status: "warning",
  detail: "the database has no FleetPrompt yet, so its walls cannot be looked at",
  advice: "run: fleetprompt migrate",
}

const connections: DoctorCheck = ({ state: { connections: used, maxConnections } }) => {
  const detail = `${used} of ${maxConnections} connections are taken`
  if (used <= maxConnections * (1 - FEW_CONNECTIONS)) return { check: "connections", status: "ok", detail }
  return {
    check: "connections",
    status: "warning",
    detail,
    advice: "raise max_connections, lower maxConnections and hotConnections, or put a PgBouncer before the server",
  }
}

const notifications: DoctorCheck = async ({ database }) => {
  if (!database.hears)
    return [
      {
        check: "notifications",
        status: "warning",
        detail: "DATABASE_URL leads to a pooler, and nothing is heard behind it: processes only poll",
        advice: "set DATABASE_LISTEN_URL to the server itself",
      },
    ]
  const ms = await hear(database)
  if (ms !== undefined) return [{ check: "notifications", status: "ok", detail: `one was heard after ${ms} ms` }]
  return [
    {
      check: "notifications",
      status: "warning",
      detail: `none was heard within ${HEAR_WITHIN_MS} ms, so processes only poll`,
      advice: "check that DATABASE_LISTEN_URL leads to the same database as DATABASE_URL",
    },
  ]
}

/** How long a notification takes, milliseconds; undefined when it does not come. */
async function hear(database: Database): Promise<number | undefined> {
  let onHeard: (isHeard: boolean) => void = () => {}
  const heard = new Promise<boolean>((resolve) => (onHeard = resolve))
  const unlisten = await database.listen(CHANNEL, { onMessage: () => onHeard(true), onGap: () => {} })
  const timer = setTimeout(() => onHeard(false), HEAR_WITHIN_MS)
  const start = performance.now()
  try {
    await database.query("/* notifyDoctor */ select pg_notify($1, '')", [CHANNEL])
    return (await heard) ? Math.round(performance.now() - start) : undefined
  } finally {
    clearTimeout(timer)
    await unlisten()
  }
}

const clock: DoctorCheck = ({ clock: { aheadMs, withinMs } }) => {
  const isOff = Math.abs(aheadMs) - withinMs > CLOCK_TOLERANCE_MS
  const detail = `this machine's clock and the server's differ by ${Math.round(Math.abs(aheadMs))} ms, give or take ${Math.ceil(withinMs)}`
  if (!isOff) return { check: "clock", status: "ok", detail }
  return { check: "clock", status: "warning", detail, advice: "let both machines keep time by NTP" }
}

const snapshots: DoctorCheck = ({ state: { oldestSnapshotS: seconds, oldestSnapshotOf: holder } }) => {
  if (seconds === null) return { check: "snapshots", status: "ok", detail: "no transaction is held open" }
  const detail = `the oldest transaction has been open for ${Math.round(seconds)} s: ${holder}`
  if (seconds < OLD_SNAPSHOT_S) return { check: "snapshots", status: "ok", detail }
  return {
    check: "snapshots",
    status: "warning",
    detail,
    advice: "end it: nothing is cleaned up behind it, so the queue's table grows, and readers in order wait for it",
  }
}

const durability: DoctorCheck = async ({ database }) => {
  const risks = await checkDurability(database)
  if (risks.length === 0)
    return [{ check: "durability", status: "ok", detail: "what was acknowledged survives a crash of the server" }]
  return risks.map(({ setting, value, risk }) => {
    const [detail = risk, advice] = risk.split("; ")
    return {
      check: "durability",
      status: "unsafe",
      detail: `${setting} = ${value}: ${detail}`,
      ...(advice && { advice }),
    }
  })
}

/** A look at the walls as a line for each finding, or one that all is well. */
function wall(check: string, look: WallCheck, well: string): DoctorCheck {
  return async ({ database, state }) => {
    if (!state.isSetUp) return []
    const findings = await look(database)
    if (findings.length === 0) return [{ check, status: "ok", detail: well }]
    return findings.map(({ setting, value, risk, mend }) => ({
      check,
      status: "unsafe",
      detail: `${setting} ${value}: ${risk}`,
      advice: mend,
    }))
  }
}

/** All looks, in the order in which they are printed. */
export const doctorChecks: readonly DoctorCheck[] = [
  version,
  schemas,
  connections,
  notifications,
  clock,
  snapshots,
  durability,
  checkMigrations,
  checkAudit,
  wall("login", checkLogin, "the login has no rights but those of the two roles"),
  wall("roles", checkRoles, "both roles are there, can do nothing else, and may be taken"),
  wall("tables", checkTables, "every table with rows of tenants has its wall"),
  wall("gaps", checkGaps, "no policy, right, view or function leads round the walls"),
]

/** Runs all looks. */
export async function examine(database: Database): Promise<readonly DoctorLine[]> {
  const before = Date.now()
  const state = await selectServerState(database)
  const after = Date.now()
  if (!state) throw new Error("the server answered nothing about itself")
  const middle = (before + after) / 2
  const patient = { database, state, clock: { aheadMs: middle - state.nowMs, withinMs: (after - before) / 2 } }
  const lines: DoctorLine[] = []
  for (const check of doctorChecks) lines.push(...[await check(patient)].flat())
  return lines
}
