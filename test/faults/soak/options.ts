/** What the soak is run with. */
export interface SoakOptions {
  /** Length without the drain and the check at the end. */
  readonly minutes: number
  /** What the faults, their times and their victims come from. */
  readonly seed: number
}

/** The variable of the environment that brings the options to the soak's process, as JSON. */
export const SOAK_VARIABLE = "FAULTS_SOAK"

/** The length that the soak has unless it is told otherwise, minutes. */
export const DEFAULT_MINUTES = 60

/** The options that the environment brings, with defaults: an hour, and the seed 1. */
export function soakOptions(env: NodeJS.ProcessEnv = process.env): SoakOptions {
  // The command wrote it.
  const given = JSON.parse(env[SOAK_VARIABLE] ?? "{}") as Partial<SoakOptions>
  return { minutes: DEFAULT_MINUTES, seed: 1, ...given }
}
