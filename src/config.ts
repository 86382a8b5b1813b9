/** What the command line reads from the environment. */
export interface Environment {
  /** `DATABASE_URL`: a Postgres server, or a PgBouncer before it. Without it the embedded database is used. */
  readonly databaseUrl: string | undefined
  /** `DATABASE_LISTEN_URL`: the same database directly, to listen on, when `DATABASE_URL` leads to a PgBouncer. */
  readonly listenUrl: string | undefined
  /** `METRICS_TOKEN`: what a scrape of a worker's metrics must show as a bearer token. Without it, nothing. */
  readonly metricsToken: string | undefined
  /** `GITHUB_WEBHOOK_SECRET`: the secret of a real GitHub webhook. Without it `dev` makes one for the run. */
  readonly githubSecret: string | undefined
}

/** Reads the environment; an empty variable counts as missing. */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): Environment {
  return {
    databaseUrl: env["DATABASE_URL"] || undefined,
    listenUrl: env["DATABASE_LISTEN_URL"] || undefined,
    metricsToken: env["METRICS_TOKEN"] || undefined,
    githubSecret: env["GITHUB_WEBHOOK_SECRET"] || undefined,
  }
}
