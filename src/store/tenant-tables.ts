/** What of a table goes into an archive, and what of that an import takes over. */
export interface ArchivedTable {
  /** In the schema of the tenant, or in the platform's own. */
  readonly in: "tenant" | "control"
  /** How its rows are ordered, so that who reads them in turn gets each after what it follows. Default: as they lie. */
  readonly order?: readonly string[]
  /** Columns that stay out of the archive: secrets, leases, places in an order that another database does not share. */
  readonly without?: readonly string[]
  /**
   * all: an import takes the rows over; asked: only when it is asked to, since handlers would run on them; no: they are
   * in the archive for people and auditors alone.
   */
  readonly imported: "all" | "asked" | "no"
}

/**
 * Every table with rows of tenants, by name. One that is in neither list fails a test, so that a new one is thought of.
 * The order is that of the archive, and of an import.
 */
export const archivedTables: Readonly<Record<string, ArchivedTable>> = {
  signals: {
    in: "tenant",
    order: ["tx_id", "position"],
    // An import gives them places of its own, in the same order.
    without: ["tx_id", "position"],
    imported: "all",
  },
  effects: { in: "tenant", imported: "all" },
  attempts: { in: "tenant", order: ["finished_at", "attempt"], imported: "all" },
  dead_letters: { in: "tenant", order: ["died_at"], imported: "all" },
  expired_keys: { in: "tenant", order: ["expires_at"], imported: "all" },
  pauses: { in: "control", imported: "all" },
  deliveries: {
    in: "control",
    order: ["position"],
    without: ["position", "leased_until", "leased_by", "lease_token"],
    imported: "asked",
  },
  replays: { in: "control", order: ["created_at"], without: ["leased_until", "leased_by"], imported: "no" },
  // A chain is good in its own place alone; the archive's can be checked as it stands.
  audit_log: { in: "tenant", order: ["position"], imported: "no" },
  audit_heads: { in: "tenant", imported: "no" },
  credentials: {
    in: "tenant",
    without: ["key_id", "data_key", "secret", "refreshed_by", "refresh_leased_until"],
    imported: "no",
  },
  // What was open goes on by itself only where its delivery was taken over too; otherwise somebody cancels or reruns it.
  directives: { in: "tenant", order: ["requested_at", "id"], without: ["run_token"], imported: "all" },
  directive_steps: { in: "tenant", order: ["position"], without: ["position"], imported: "all" },
  // Packages are for the importing side to install: its catalogue and its credentials are others.
  installations: { in: "tenant", order: ["inserted_at", "id"], imported: "no" },
  package_records: { in: "tenant", order: ["installation_id", "kind", "name"], imported: "no" },
  installation_snapshots: { in: "tenant", order: ["position"], without: ["position"], imported: "no" },
  organisations: { in: "control", imported: "no" },
  memberships: { in: "control", imported: "no" },
  invitations: { in: "control", without: ["token_hash"], imported: "no" },
  service_accounts: { in: "control", imported: "no" },
  api_keys: { in: "control", without: ["hash", "pepper"], imported: "no" },
  package_reviews: { in: "control", order: ["created_at"], imported: "no" },
}

/** Tables that have rows of tenants and are of no use elsewhere: what the engine counts and notes for itself. */
export const unarchivedTables: ReadonlySet<string> = new Set([
  "slots",
  "rate_spends",
  "tenant_operations",
  "kept_placements",
  "migration_runs",
  "audit_intake",
  "access_changes",
  // Made from the installations, and known again wherever these are.
  "bindings",
  "binding_changes",
  "request_limits",
  "key_rotations",
  "package_installs",
  "arrivals",
  "audit_received",
  "package_schedules",
  // The platform's own plans.
  "package_rollout_tenants",
])
