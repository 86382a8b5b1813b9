/** What the command line reads from the environment. */
export interface Environment {
  /** `DATABASE_URL`: a Postgres server, or a PgBouncer before it. Without it the embedded database is used. */
  readonly databaseUrl: string | undefined
  /** `DATABASE_LISTEN_URL`: the same database directly, to listen on, when `DATABASE_URL` leads to a PgBouncer. */
  readonly listenUrl: string | undefined
  /** `DATABASE_OWNER_URL`: the same database directly, with a login that owns the schemas, for migrations and for making tenants. */
  readonly ownerUrl?: string | undefined
  /**
   * `FLEETPROMPT_DATABASES`: further databases by name, `eu=postgres://…` with spaces between; `eu.listen=…` and
   * `eu.owner=…` as `DATABASE_LISTEN_URL` and `DATABASE_OWNER_URL` are of the first.
   */
  readonly databases?: string | undefined
  /** `METRICS_TOKEN`: what a scrape of a worker's metrics must show as a bearer token. Without it, nothing. */
  readonly metricsToken: string | undefined
  /** `FLEETPROMPT_KEYS`: the key ring, `id:base64` of 32 bytes with commas between, the current key first. */
  readonly keys?: string | undefined
  /** `FLEETPROMPT_KEYS_FILE`: a file with the key ring, which its owner alone may read. */
  readonly keysFile?: string | undefined
  /**
   * `FLEETPROMPT_KEY_PEPPER`: with what API keys are hashed, `id:base64` of 32 bytes, with commas between, the one for new
   * keys first. Without it a key of the key ring.
   */
  readonly keyPepper?: string | undefined
  /** `FLEETPROMPT_KEY_ENVIRONMENT`: stands in each API key; keys of other environments do not work. Default `live`. */
  readonly keyEnvironment?: string | undefined
  /** `PUBLIC_URL`: where people reach the server, `https://fleet.example.com`. */
  readonly publicUrl?: string | undefined
  /** `PORT`: where the server listens. */
  readonly port?: string | undefined
  /** `FLEETPROMPT_SECRET`: what sessions are signed with, 32 characters at least. Without it a key of the key ring. */
  readonly secret?: string | undefined
  /** `TRUSTED_PROXIES`: proxies whose `X-Forwarded-For` is believed, with commas between; `private` for all private networks. */
  readonly trustedProxies?: readonly string[]
  /** `GITHUB_WEBHOOK_SECRET`: the secret of a real GitHub webhook. Without it `dev` makes one for the run. */
  readonly githubSecret: string | undefined
}

/** Reads the environment; an empty variable counts as missing. */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): Environment {
  return {
    databaseUrl: env["DATABASE_URL"] || undefined,
    listenUrl: env["DATABASE_LISTEN_URL"] || undefined,
    ownerUrl: env["DATABASE_OWNER_URL"] || undefined,
    databases: env["FLEETPROMPT_DATABASES"] || undefined,
    metricsToken: env["METRICS_TOKEN"] || undefined,
    keys: env["FLEETPROMPT_KEYS"] || undefined,
    keysFile: env["FLEETPROMPT_KEYS_FILE"] || undefined,
    keyPepper: env["FLEETPROMPT_KEY_PEPPER"] || undefined,
    keyEnvironment: env["FLEETPROMPT_KEY_ENVIRONMENT"] || undefined,
    publicUrl: env["PUBLIC_URL"] || undefined,
    port: env["PORT"] || undefined,
    secret: env["FLEETPROMPT_SECRET"] || undefined,
    trustedProxies: (env["TRUSTED_PROXIES"] ?? "").split(",").filter((each) => each !== ""),
    githubSecret: env["GITHUB_WEBHOOK_SECRET"] || undefined,
  }
}

/** `NODE_ENV`: whether this process runs in production, where unsafe settings are refused. */
export function isProduction(): boolean {
  return process.env["NODE_ENV"] === "production"
}
