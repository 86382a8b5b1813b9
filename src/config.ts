/** What the command line reads from the environment. */
export interface Environment {
  /** `DATABASE_URL`: a Postgres server. Without it the embedded database is used. */
  readonly databaseUrl: string | undefined
  /** `GITHUB_WEBHOOK_SECRET`: the secret of a real GitHub webhook. Without it `dev` makes one for the run. */
  readonly githubSecret: string | undefined
}

/** Reads the environment; an empty variable counts as missing. */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): Environment {
  return { databaseUrl: env["DATABASE_URL"] || undefined, githubSecret: env["GITHUB_WEBHOOK_SECRET"] || undefined }
}
