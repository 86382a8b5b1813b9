/** One row of the table: the HTTP status an edge answers with, and what the code means. */
interface ErrorRow {
  readonly status: number
  readonly meaning: string
}

/**
 * Every error FleetPrompt throws, by code. `docs/reference/errors.md` is generated from this table,
 * and a test keeps them equal. A code never changes its meaning.
 */
export const errorTable = {
  ack_timeout: { status: 504, meaning: "A persistent subscriber did not acknowledge a signal within its deadline." },
  action_input_invalid: { status: 422, meaning: "What a package's action is called with does not fit its schema." },
  action_result_invalid: { status: 500, meaning: "What a package's action answered does not fit its schema." },
  action_unknown: { status: 404, meaning: "The package has no action of this name." },
  api_key_ended: {
    status: 409,
    meaning: "The API key was revoked, replaced or has expired, so it cannot be replaced.",
  },
  api_key_invalid: { status: 422, meaning: "An option of an API key or a service account is wrong." },
  api_key_limit: { status: 409, meaning: "The tenant has as many API keys that work as it may." },
  api_key_unknown: { status: 404, meaning: "The tenant has no API key with this id." },
  archive_invalid: {
    status: 422,
    meaning: "An archive of a tenant is damaged, incomplete, or of a version that this release does not read.",
  },
  audit_broken: {
    status: 500,
    meaning: "The head of an audit log is not signed by a trusted key, so nothing is added behind it.",
  },
  batch_too_large: { status: 413, meaning: "One call has more signals than it may." },
  body_malformed: { status: 400, meaning: "The request body is not what the route reads, for example not JSON." },
  body_too_large: { status: 413, meaning: "The request body is larger than the route accepts." },
  bus_closed: { status: 503, meaning: "The bus was closed." },
  bus_full: { status: 503, meaning: "A subscriber has no room for the signal, or too many publishes wait already." },
  cause_cycle: { status: 409, meaning: "The signal would become a cause of itself." },
  cause_unknown: { status: 422, meaning: "The journal does not have the signal that is named as the cause." },
  cell_unknown: { status: 500, meaning: "This process knows no database of the fleet by this name." },
  circuit_open: { status: 503, meaning: "An endpoint failed too often in a row and is left alone for a while." },
  config_invalid: { status: 500, meaning: "A setting has a value FleetPrompt cannot work with." },
  count_changed: { status: 409, meaning: "A bulk action would touch more than was expected; count again." },
  credential_exists: {
    status: 409,
    meaning: "The tenant has a credential of this kind for this provider and account already.",
  },
  credential_invalid: { status: 422, meaning: "A field of a credential is missing or wrong." },
  credential_unknown: { status: 404, meaning: "The tenant has no credential with this id." },
  credential_unusable: {
    status: 409,
    meaning: "The credential was revoked, has expired, could not be refreshed, or its attempt has ended.",
  },
  cursor_invalid: { status: 422, meaning: "A place in the order of signals is not one that came with a signal." },
  data_directory_in_use: { status: 503, meaning: "Another process has the embedded database's data directory open." },
  data_invalid: { status: 422, meaning: "The data does not fit the signal's schema." },
  data_not_json: { status: 422, meaning: "The value cannot be kept in JSON and Postgres without being changed." },
  data_too_deep: { status: 422, meaning: "The value is nested deeper than the limit." },
  data_too_large: { status: 413, meaning: "The value's JSON text is larger than the limit." },
  database_busy: { status: 503, meaning: "No connection to the database became free in time." },
  database_connection_lost: {
    status: 503,
    meaning: "The connection broke while a statement was under way, which may or may not have taken effect.",
  },
  database_full: { status: 507, meaning: "The database has no room left on its disk." },
  database_unreachable: { status: 503, meaning: "No connection to Postgres could be made." },
  database_unsafe: { status: 500, meaning: "Tenants are not kept apart in this database as they are to be." },
  decode_failed: { status: 400, meaning: "The text, bytes or headers are not what the codec reads." },
  directive_cancelled: { status: 409, meaning: "The directive is to be cancelled, so that its run ends." },
  directive_conflict: { status: 409, meaning: "The tenant has another directive under the same idempotency key." },
  directive_invalid: {
    status: 500,
    meaning: "A directive's definition is wrong, or its run uses a step in a way that it cannot be used.",
  },
  directive_params_invalid: {
    status: 422,
    meaning: "The params of a directive do not fit its schema, or an option of its request is wrong.",
  },
  directive_state: { status: 409, meaning: "This cannot be done to the directive in the state that it is in." },
  directive_timeout: { status: 500, meaning: "A run of a directive did not finish within its timeout." },
  directive_unknown: {
    status: 404,
    meaning: "No directive of this type is defined, or the tenant has none with this id.",
  },
  dispatch_failed: { status: 502, meaning: "A signal could not be handed on to its target." },
  dispatch_gone: {
    status: 502,
    meaning: "The endpoint says that it is gone for good; nothing should be sent to it again.",
  },
  dispatch_invalid: { status: 422, meaning: "A dispatch names an unknown adapter, or its options are wrong." },
  dispatch_refused: {
    status: 502,
    meaning: "A signal was refused by its target or by a policy; trying again would not help.",
  },
  embedded_database_missing: {
    status: 500,
    meaning: "There is no DATABASE_URL and the embedded database is not installed.",
  },
  emit_queue_full: { status: 429, meaning: "This process has as many emits under way as it may; come back later." },
  fleet_stopped: { status: 503, meaning: "The fleet is not running: it was not started, or it was stopped." },
  forbidden: { status: 403, meaning: "This principal may not do this." },
  handler_invalid: { status: 500, meaning: "A handler's definition is wrong: its name, pattern or an option." },
  handler_timeout: { status: 500, meaning: "A handler did not finish within its timeout." },
  handler_unknown: { status: 404, meaning: "No handler with this name is defined in this process." },
  hop_limit: { status: 508, meaning: "A chain of handlers that cause each other is longer than it may be." },
  idempotency_conflict: { status: 409, meaning: "The tenant has another fact under the same key." },
  identity_conflict: {
    status: 409,
    meaning: "What somebody signed in by is another person's, or its address is and was not verified.",
  },
  installation_needed: { status: 409, meaning: "Other installed packages need this one." },
  installation_needs: { status: 409, meaning: "A package needs others that are not installed any more." },
  installation_refused: {
    status: 422,
    meaning: "A package cannot be installed or upgraded so; the message has every reason.",
  },
  installation_state: {
    status: 409,
    meaning: "This cannot be done to an installed package in the state that it is in.",
  },
  installation_unknown: { status: 404, meaning: "The tenant has not installed this package." },
  invitation_invalid: { status: 410, meaning: "The invitation is unknown, used, revoked or past its time." },
  invitations_full: {
    status: 409,
    meaning: "There are as many open invitations as there may be, or one was sent too often.",
  },
  issuer_unreachable: { status: 503, meaning: "The keys of a token's issuer could not be fetched." },
  journal_full: { status: 507, meaning: "The journal holds as many signals as it may." },
  key_in_use: { status: 409, meaning: "A key of the key ring cannot be removed while something is sealed by it." },
  key_unknown: { status: 500, meaning: "A stored secret is sealed by a key that is not in the key ring." },
  last_owner: { status: 409, meaning: "An organisation would be left without an owner who can act." },
  member_exists: { status: 409, meaning: "This person is a member of the organisation already." },
  member_unknown: { status: 404, meaning: "The tenant has no member with this id." },
  middleware_invalid: { status: 500, meaning: "A hook of middleware answered what is no verdict." },
  middleware_timeout: { status: 504, meaning: "A hook of middleware did not answer in time." },
  not_found: { status: 404, meaning: "There is nothing at this address, or nothing this principal may see." },
  not_ready: { status: 503, meaning: "The fleet is starting or stopping, or its database cannot be used." },
  operation_conflict: { status: 409, meaning: "Something else is being done to the tenant; one at a time." },
  operation_ended: { status: 409, meaning: "The operation has ended, or is past the point where it can be undone." },
  operation_unknown: { status: 404, meaning: "There is no operation with this id." },
  organisation_exists: { status: 409, meaning: "There is an organisation or a tenant with this slug already." },
  organisation_unknown: { status: 404, meaning: "The tenant has no organisation, so that it has no people." },
  package_conflict: {
    status: 409,
    meaning:
      "The catalogue has this version of the package with other contents, or the package is another publisher's.",
  },
  package_invalid: { status: 422, meaning: "A package's manifest is wrong; the message lists every reason." },
  package_unknown: { status: 404, meaning: "The catalogue has no such package, or no such version of it." },
  pattern_invalid: { status: 422, meaning: "A pattern of signal types does not parse." },
  peer_missing: { status: 500, meaning: "An optional package that this function needs is not installed." },
  person_invalid: {
    status: 422,
    meaning: "An email address, a name, a role or a time of a person or an invitation is wrong.",
  },
  query_invalid: { status: 422, meaning: "A condition of the query is wrong." },
  rate_limited: {
    status: 429,
    meaning: "There were too many signals of one kind, or too many requests, within a while.",
  },
  record_conflict: {
    status: 409,
    meaning: "The journal has this id already, with another cause or from another source.",
  },
  replay_ended: { status: 409, meaning: "The replay has ended, so that it cannot be changed any more." },
  request_invalid: { status: 400, meaning: "A parameter or header of the request is missing or wrong." },
  review_invalid: { status: 422, meaning: "A review's rating or text is wrong." },
  rollout_invalid: { status: 422, meaning: "An option of a rollout, or a check of one, is wrong." },
  rollout_state: { status: 409, meaning: "This cannot be done to the rollout in the state that it is in." },
  rollout_unknown: { status: 404, meaning: "There is no rollout with this id." },
  route_invalid: { status: 500, meaning: "A route's priority or guard is wrong." },
  schedule_invalid: {
    status: 500,
    meaning: "A schedule's definition is wrong: its name, cron expression, time zone or an option.",
  },
  schedule_slots_dropped: {
    status: 500,
    meaning: "More slots of a schedule were missed than are made up for, so the oldest were dropped.",
  },
  schedule_unknown: { status: 404, meaning: "There is no schedule with this name." },
  schema_invalid: { status: 500, meaning: "A signal's schema is no Standard Schema, or validates asynchronously." },
  secret_refused: { status: 422, meaning: "The signal holds what looks like a secret." },
  secret_unreadable: {
    status: 500,
    meaning: "A stored secret cannot be opened: it was changed, belongs elsewhere, or was sealed under another key.",
  },
  service_account_exists: {
    status: 409,
    meaning: "The tenant has a service account of this name, or as many as it may.",
  },
  service_account_unknown: { status: 404, meaning: "The tenant has no service account with this id." },
  signal_dropped: {
    status: 503,
    meaning: "A signal was dropped to make room for newer ones, as its subscription asks.",
  },
  signal_halted: { status: 422, meaning: "Middleware refused the signal." },
  signal_invalid: { status: 422, meaning: "An attribute of the signal is missing or wrong." },
  signal_not_held: {
    status: 410,
    meaning: "The log does not hold a signal that was asked for: it was overwritten, or never published.",
  },
  subscription_ended: {
    status: 410,
    meaning: "The subscription ended, or was reconnected, while a signal was with its subscriber.",
  },
  subscription_exists: { status: 409, meaning: "There is a subscription with this id already." },
  subscription_invalid: { status: 422, meaning: "An option of the subscription is wrong." },
  subscription_unknown: { status: 404, meaning: "There is no subscription with this id, or it is not persistent." },
  template_invalid: { status: 500, meaning: "A template's definition is wrong: its name, schema or an option." },
  template_params_invalid: {
    status: 422,
    meaning: "What a package gives a template under `with` does not fit the template's schema.",
  },
  template_unknown: { status: 500, meaning: "This process's release has no template of the name that a package uses." },
  tenant_ahead: {
    status: 503,
    meaning: "The tenant's schema was changed by a later release, in a way that this one cannot work with.",
  },
  tenant_behind: {
    status: 503,
    meaning: "The tenant's schema is too old for what was asked; it is being migrated, or its migration failed.",
  },
  tenant_elsewhere: { status: 503, meaning: "The tenant's rows are in another database of the fleet." },
  tenant_invalid: { status: 422, meaning: "The tenant's slug is missing or does not follow the rules." },
  tenant_moving: { status: 503, meaning: "The tenant is being moved to another placement; try again in a moment." },
  tenant_state: { status: 409, meaning: "This cannot be done to the tenant in the state that it is in." },
  tenant_suspended: {
    status: 403,
    meaning: "The tenant is suspended, is to be deleted, or was taken out of use: nothing comes in and nothing is run.",
  },
  tenant_unknown: { status: 404, meaning: "There is no tenant with this slug." },
  trace_invalid: { status: 422, meaning: "A trace id, span id or member of the trace state is malformed." },
  transaction_closed: { status: 500, meaning: "A statement came after its transaction had ended." },
  transaction_unsupported: { status: 500, meaning: "The value passed as `tx` is not a transaction FleetPrompt knows." },
  unauthenticated: { status: 401, meaning: "The request does not say who is calling." },
  user_exists: { status: 409, meaning: "The address is another person's." },
  user_unknown: { status: 404, meaning: "Nobody who is not disabled has this id." },
  webhook_signature_invalid: {
    status: 401,
    meaning: "The webhook's signature does not belong to its body and the shared secret.",
  },
  worker_lost: {
    status: 500,
    meaning: "The process that ran the handler went away, as often as the delivery may be tried.",
  },
} as const satisfies Record<string, ErrorRow>

/** A code of `errorTable`. */
export type ErrorCode = keyof typeof errorTable

/** What an error may carry besides its message. */
export interface ErrorOptions {
  /** Where in the input the fault is, for example `data.items[3].price`. */
  readonly path?: string
  /** The error beneath. */
  readonly cause?: unknown
}

/**
 * The only error FleetPrompt throws on purpose. Compare `code`, not the class: two copies of the
 * package in one program have two classes. The message says what was expected, what came and what
 * to do; it never holds a secret.
 *
 * @example
 * try {
 *   await tenant.emit("lead.received", { budget: Number.NaN })
 * } catch (error) {
 *   if (isFleetPromptError(error) && error.code === "data_not_json") console.log(error.path) // data.budget
 * }
 */
export class FleetPromptError extends Error {
  override readonly name = "FleetPromptError"
  readonly code: ErrorCode
  readonly path: string | undefined

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.path = options.path
  }
}

/** Whether a caught value is an error of FleetPrompt, whichever copy of the package threw it. */
export function isFleetPromptError(error: unknown): error is FleetPromptError {
  return error instanceof Error && error.name === "FleetPromptError" && "code" in error
}
