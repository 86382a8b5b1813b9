import { drain, endHolds } from "./delete-steps.ts"
import { wrongState } from "./lifecycle.ts"
import type { Procedure } from "./operation-step.ts"
import { provisionTenant, type ProvisionOptions } from "./provision.ts"

/** How often it is looked whether what runs has ended. */
const DRAIN_POLL_MS = 250

/** A suspension ends when nothing of the tenant runs any more. */
export const suspension: Procedure = {
  first: "drain",
  steps: {
    drain: async (context) => {
      if (!(await drain(context))) return { kind: "wait", ms: DRAIN_POLL_MS }
      await endHolds(context)
      return { kind: "done" }
    },
  },
  final: ["drain"],
}

/** A tenant that was resumed is worked for as soon as the workers know. */
export const resumption: Procedure = {
  first: "wake",
  steps: {
    wake: async ({ announcer }) => {
      announcer.changed({ tenants: true, pauses: true })
      return { kind: "done" }
    },
  },
  final: ["wake"],
}

/** A tenant is made beside whatever else goes on. */
export const provisioning: Procedure = {
  first: "begin",
  steps: {
    begin: async ({ database, operation, placements, migrations }) => {
      // They were checked and written by requestProvision.
      const options = operation.params as ProvisionOptions
      const tenant = await provisionTenant(database, operation.tenant, options, migrations)
      if (tenant.status === "deleting" || tenant.status === "deleted") throw wrongState(tenant, "provisioned")
      placements.learn(tenant)
      return { kind: "done" }
    },
  },
}
