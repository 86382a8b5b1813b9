import { randomUUID } from "node:crypto"
import type { EmitOptions, EmitResult } from "../../../src/emit/emit.ts"
import { isFleetPromptError } from "../../../src/errors.ts"
import type { Fleet } from "../../../src/fleet.ts"
import { isTransient } from "../../../src/store/transient.ts"
import { hashOf } from "./content.ts"
import type { CallOutcome, Ledger } from "./ledger.ts"

/** One signal to be stored. */
export interface EmitRequest {
  readonly type: string
  readonly data: unknown
  readonly options?: EmitOptions
}

/** Emits, and notes in the ledger what was asked for and what was answered. */
export interface RecordedEmit {
  /**
   * One signal.
   *
   * @param callId names the call: give it again for a further try of the same call. Default: a new one.
   * @throws what emit throws, once it is in the ledger
   */
  readonly emit: (tenant: string, request: EmitRequest, callId?: string) => Promise<EmitResult>
  /** Several in one commit. @throws what emitMany throws, once it is in the ledger */
  readonly emitMany: (tenant: string, requests: readonly EmitRequest[]) => Promise<readonly EmitResult[]>
}

/** A fleet's emit with the ledger around it. */
export function recordEmits(fleet: Fleet, ledger: Ledger): RecordedEmit {
  const recorded = async (
    tenant: string,
    requests: readonly EmitRequest[],
    ids: readonly string[],
    run: () => Promise<readonly EmitResult[]>,
  ): Promise<readonly EmitResult[]> => {
    await Promise.all(requests.map((request, at) => ledger.callBegins(callOf(tenant, request, ids[at] ?? ""))))
    try {
      const results = await run()
      await Promise.all(results.map(({ signal, inserted }, at) => endOf(ledger, ids[at], signal.id, inserted)))
      return results
    } catch (error) {
      const end = { outcome: outcomeOf(error), error: errorText(error) }
      await Promise.all(ids.map((id) => ledger.callEnded(id, end)))
      throw error
    }
  }
  return {
    emit: async (tenant, request, callId = randomUUID()) => {
      const { type, data, options } = request
      const run = async () => [await fleet.tenant(tenant).emit(type, data, options)]
      const [result] = await recorded(tenant, [request], [callId], run)
      // One request went in.
      return result as EmitResult
    },
    emitMany: (tenant, requests) => {
      const items = requests.map(({ type, data, options: { tx: _, ...options } = {} }) => ({ type, data, ...options }))
      return recorded(
        tenant,
        requests,
        requests.map(() => randomUUID()),
        () => fleet.tenant(tenant).emitMany(items),
      )
    },
  }
}

function callOf(tenant: string, { type, data, options }: EmitRequest, callId: string) {
  return {
    callId,
    tenant,
    type,
    key: options?.dedupeKey ?? null,
    hash: hashOf({ type, subject: options?.subject, data }),
  }
}

function endOf(ledger: Ledger, callId = "", signalId: string, inserted: boolean): Promise<void> {
  return ledger.callEnded(callId, { outcome: "ok", signalId, inserted })
}

/** After an error that may go away, the signal may be stored or not; after any other it must not be. */
function outcomeOf(error: unknown): CallOutcome {
  return isTransient(error) || !(error instanceof Error) ? "unknown" : "failed"
}

/** An error in one line, with its code, as the ledger keeps it. */
export function errorText(error: unknown): string {
  const code = error instanceof Error && "code" in error ? `${String(error.code)}: ` : ""
  const message = error instanceof Error && (isFleetPromptError(error) || error.message) ? error.message : String(error)
  return `${code}${message}`.replaceAll("\u0000", "").slice(0, 500).toWellFormed()
}
