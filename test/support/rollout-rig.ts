import { defineHandlerTemplate } from "../../src/delivery/define-template.ts"
import type { Template } from "../../src/delivery/template.ts"
import type { Fleet } from "../../src/fleet.ts"
import type { PackageManifest } from "../../src/packages/manifest.ts"
import { defineRolloutCheck, type RolloutCheck } from "../../src/packages/rollouts/rollout-check.ts"

/** A version of a package whose handler works, or not. */
export function desk(version: string, more: Partial<PackageManifest> = {}): PackageManifest {
  return {
    slug: "desk",
    name: "Desk",
    version,
    description: "For tests.",
    category: "tests",
    publisher: "tests",
    license: "MIT",
    handlers: [{ name: "answer", uses: "test.answer", on: "ticket.opened" }],
    ...more,
  }
}

/** Answers tickets, unless it is of a version that cannot. */
export function answering(...broken: readonly string[]): Template {
  return defineHandlerTemplate({
    name: "test.answer",
    retry: { attempts: 1 },
    run: async ({ package: { version }, emit }) => {
      if (broken.includes(version)) throw new Error(`${version} cannot answer`)
      await emit("ticket.answered", { version })
    },
  })
}

/** A gate that opens a ticket in each tenant that was upgraded since it was asked last, and looks what comes of it. */
export function probe(fleet: () => Fleet): RolloutCheck {
  return defineRolloutCheck({
    name: "desk.probe",
    run: async ({ rollout, version, wave, tenants }) => {
      const asked = tenants.filter((each) => each.wave === wave).slice(0, 5)
      const failed: string[] = []
      for (const { tenant } of asked)
        if (!(await answers(fleet(), tenant, `${rollout}:${version}`))) failed.push(tenant)
      return {
        healthy: failed.length === 0,
        reason: `${failed.length} of ${asked.length} tenants got no answer`,
        figures: { asked: asked.length, failed: failed.length },
      }
    },
  })
}

/** Whether a ticket is answered. */
async function answers(fleet: Fleet, slug: string, dedupeKey: string): Promise<boolean> {
  const tenant = fleet.tenant(slug)
  const { signal } = await tenant.emit("ticket.opened", { dedupeKey }, { dedupeKey })
  for (;;) {
    const [delivery] = (await tenant.signals.get(signal.id, ["internal"]))?.deliveries ?? []
    if (delivery?.status === "done") return true
    if (delivery?.status === "dead") return false
    // The embedded database answers without giving way: who is to answer has to get a turn.
    await new Promise((resolve) => setImmediate(resolve))
  }
}
