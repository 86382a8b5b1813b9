import { FleetPromptError } from "../errors.ts"
import type { RevealedSecrets } from "../guard/revealed.ts"
import type { ClaimedDelivery } from "../store/deliveries.ts"
import type { Credential } from "./credential.ts"
import type { Credentials } from "./credentials.ts"

/** Which delivery of a handler asks. */
type Asking = Pick<ClaimedDelivery, "tenant" | "handler" | "signalId" | "attempt">

/**
 * A tenant's credentials for one attempt of a handler: each use is noted with handler and signal, what is revealed is
 * remembered to be masked, and after the attempt nothing is revealed any more.
 */
export function credentialsForHandlers(credentials: () => Credentials) {
  return ({ tenant, handler, signalId, attempt }: Asking, revealed: RevealedSecrets) => ({
    get: async (id: string): Promise<Credential> => {
      if (revealed.isOver) throw attemptOver()
      return credentials().use(tenant, id, {
        actor: { kind: "system", id: `handler:${handler}` },
        details: { handler, signalId, attempt },
        correlationId: signalId,
        onReveal: (secret) => {
          if (revealed.isOver) throw attemptOver()
          revealed.add(secret)
        },
      })
    },
  })
}

function attemptOver(): FleetPromptError {
  return new FleetPromptError(
    "credential_unusable",
    "expected a credential to be used within the attempt that got it, the attempt has ended; get it anew in each run",
  )
}
