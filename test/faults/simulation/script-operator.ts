import type { Fleet } from "../../../src/fleet.ts"
import { TYPES } from "./handlers.ts"
import type { OperatorAction } from "./profile.ts"
import type { SimulatedProcess } from "./simulated-process.ts"
import { TENANT_NAMES } from "./store.ts"
import type { World } from "./world.ts"

/** What somebody does who looks after the fleet. */
export function operatorActions(world: World): Readonly<Record<OperatorAction, (process: SimulatedProcess) => void>> {
  const { random, trace } = world
  const act = (what: string, run: (fleet: Fleet, tenant: string) => Promise<unknown>) => {
    return (process: SimulatedProcess): void => {
      const tenant = random.pick(TENANT_NAMES)
      trace.stress(`${process.machine.name} ${what} ${tenant}`)
      world.on(process, async (fleet) => void (await run(fleet, tenant)))
    }
  }
  return {
    pause: act("pauses", (fleet, tenant) => {
      return fleet.tenant(tenant).pauses.pause(random.chance(0.5) ? { handler: random.pick(TYPES) } : {})
    }),
    resume: act("resumes all, not only", (fleet) => resumeAll(fleet)),
    redrive: act("redrives", (fleet, tenant) => fleet.tenant(tenant).deadLetters.redrive({ all: true })),
    replay: act("replays", (fleet, tenant) => {
      const filter = { pattern: `${random.pick(TYPES)}.**` }
      const request = { filter, force: random.chance(0.5), perSecond: 200, maxOpen: 20 }
      return fleet.tenant(tenant).replays.start(request, { actor: { id: "operator", role: "admin" } })
    }),
  }
}

/** Ends every pause. */
export async function resumeAll(fleet: Fleet): Promise<void> {
  for (const { tenant, handler } of await fleet.pauses.list())
    await fleet.pauses.resume({ ...(tenant !== "*" && { tenant }), ...(handler !== "*" && { handler }) })
}
