/** A library in one of its forms. */
export interface Contender {
  /** As asked for on the command line; the start of it is enough. */
  readonly id: string
  /** As it stands in the results. */
  readonly name: string
  /** File of `contenders/`. */
  readonly module: string
  readonly form: "defaults" | "tuned"
  readonly store: "postgres" | "redis"
  /** Does some thousand jobs a second at most, so it gets a smaller backlog. */
  readonly isSlow: boolean
  /** Peers whose figures are never the best are left out of the quick run. */
  readonly inQuickRun: boolean
}

const COMMON = { store: "postgres", isSlow: false, inQuickRun: true } as const

/** Ours, at its defaults: the best form is the one it comes in. */
export const OURS: Contender = { id: "ours", name: "ours", module: "ours", form: "defaults", ...COMMON }

/** Inserts without a library: what this machine's Postgres takes at most. */
export const RAW: Contender = { id: "raw", name: "raw inserts", module: "raw", form: "defaults", ...COMMON }

/** The others, each as it comes and as its documentation advises for what is measured. */
export const PEERS: readonly Contender[] = [
  ...bothForms("graphile-worker", { module: "graphile-worker" }),
  ...bothForms("pg-boss", { module: "pg-boss" }),
  ...bothForms("dbos", { module: "dbos", isSlow: true }),
  ...bothForms("bullmq-postgres", { module: "bullmq", isSlow: true, inQuickRun: false }),
  ...bothForms("bullmq", { module: "bullmq", store: "redis" }),
]

function bothForms(id: string, more: Partial<Contender> & Pick<Contender, "module">): readonly Contender[] {
  const peer = { ...COMMON, ...more }
  const mark = peer.store === "redis" ? " (redis, not durable here)" : ""
  return [
    { id: `${id}:tuned`, name: mark === "" ? `${id} tuned` : `${id}${mark}`, form: "tuned", ...peer },
    { id: `${id}:defaults`, name: `${id} defaults${mark}`, form: "defaults", ...peer, isSlow: true, inQuickRun: false },
  ]
}

/** Those whose results count for the targets. */
export function isPostgresPeer(name: string): boolean {
  return PEERS.some((peer) => peer.name === name && peer.store === "postgres")
}
