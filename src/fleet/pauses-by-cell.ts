import { type Schedules, openSchedules } from "./schedules-door.ts"
import type { RequestedBy } from "../tenants/act-entry.ts"
import { isFleetPromptError } from "../errors.ts"
import { MAIN_CELL } from "../store/cells.ts"
import { type FleetPauses, openPauses, type PauseOptions } from "../tenants/pauses.ts"
import { atHome } from "./at-home.ts"
import type { Cell, Cells } from "./cells.ts"

/** The pauses of a fleet: what is for one tenant is where that is, and what is for all is in each database. */
export function openPausesByCell(running: () => Cells): FleetPauses {
  const doorOf = (cell: string): FleetPauses => openPauses(() => running().get(cell).emitDeps)
  const atAll = async <Result>(
    { tenant }: Pick<PauseOptions, "tenant">,
    run: (door: FleetPauses) => Promise<Result>,
  ): Promise<readonly [Result, ...Result[]]> => {
    if (tenant !== undefined) return [await atHome(running(), tenant, (cell) => run(doorOf(cell)))]
    const [, ...others] = running().all()
    return [await run(doorOf(MAIN_CELL)), ...(await Promise.all(others.map(({ name }) => run(doorOf(name)))))]
  }
  return Object.freeze({
    pause: async (options: PauseOptions) => (await atAll(options, (door) => door.pause(options)))[0],
    resume: async (options: PauseOptions) => (await atAll(options, (door) => door.resume(options))).includes(true),
    list: async () => {
      const lists = await running().ask(({ name }) => doorOf(name).list())
      const [main = [], ...others] = lists.map(({ answer }) => answer)
      if (others.length === 0) return main
      const byKey = new Map([...others.flat(), ...main].map((pause) => [`${pause.tenant} ${pause.handler}`, pause]))
      return [...byKey.values()].toSorted((one, other) => one.pausedAt.localeCompare(other.pausedAt))
    },
  })
}

/** The schedules of a fleet: each database fires them for its own tenants. */
export function openSchedulesByCell(running: () => Cells): Schedules {
  const doorOf = ({ parts }: Cell): Schedules =>
    openSchedules(
      () => parts.database,
      () => parts.emitDeps.announcer.changed({ schedules: true }),
    )
  const change = async (run: (door: Schedules) => Promise<void>): Promise<void> => {
    const outcomes = await Promise.allSettled(
      running()
        .all()
        .map((cell) => run(doorOf(cell))),
    )
    const failed = outcomes.flatMap((each): unknown[] => (each.status === "rejected" ? [each.reason] : []))
    // One that never ran in a database is unknown there.
    const serious = failed.find((error) => !isFleetPromptError(error) || error.code !== "schedule_unknown")
    if (serious !== undefined || failed.length === outcomes.length) throw serious ?? failed[0]
  }
  return Object.freeze({
    list: () =>
      openSchedules(
        () => running().main.database,
        () => {},
      ).list(),
    pause: (name: string, request?: RequestedBy) => change((door) => door.pause(name, request)),
    resume: (name: string, request?: RequestedBy) => change((door) => door.resume(name, request)),
  })
}
