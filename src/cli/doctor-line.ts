import type { Database } from "../store/database.ts"
import type { ServerState } from "../store/server-state.ts"

/** What a look found. unsafe: something may be lost, or tenants are not kept apart; warning: it will cause trouble. */
export interface DoctorLine {
  /** What was looked at: `version`, `walls`. */
  readonly check: string
  readonly status: "ok" | "warning" | "unsafe"
  /** What is so. */
  readonly detail: string
  /** What to do, in one line or as SQL. */
  readonly advice?: string
}

/** What a check looks at. */
export interface DoctorPatient {
  /** In the name of the login that the application uses. */
  readonly database: Database
  readonly state: ServerState
  /** How far this machine's clock is ahead of the server's, milliseconds, and how exactly that is known. */
  readonly clock: { readonly aheadMs: number; readonly withinMs: number }
}

/** What a check looks at that needs the control schema alone. */
export interface SetUpPatient extends Pick<DoctorPatient, "database"> {
  readonly state: Pick<ServerState, "isSetUp">
}
