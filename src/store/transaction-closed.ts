import { FleetPromptError } from "../errors.ts"

/** What a statement on a transaction that is over is answered with. */
export function transactionClosed(): FleetPromptError {
  return new FleetPromptError(
    "transaction_closed",
    "a statement came after its transaction had committed or rolled back; await every statement inside transaction(run)",
  )
}
