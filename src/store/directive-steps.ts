import type { JsonObject, JsonValue } from "../signal/json.ts"
import type { DirectiveProgress } from "./directives.ts"
import type { Queryable } from "./database.ts"
import type { TenantScope } from "./tenant-scope.ts"

/** A run of a directive, by the token with which it began: a later one has another. */
export interface DirectiveRun {
  readonly id: string
  readonly runToken: string
}

/** What a run that still has its directive learns of it. */
export interface HeldDirective {
  readonly cancelRequested: boolean
  readonly cancelReason: string | null
}

/** A step that has ended. */
export interface DirectiveStep {
  readonly name: string
  readonly result: JsonValue
  readonly isUndone: boolean
  /** Why it could not be undone. */
  readonly undoError: string | null
}

/** Whose row it is, for statements of a run: it has to show its token, and the row must not have ended. */
const HELD = "tenant = $1 and id = $2::text::uuid and run_token = $3::text::bigint and status = 'running'"
const CANCEL = `cancel_requested as "cancelRequested", cancel_reason as "cancelReason"`

/** Whether a run still has its directive. */
export async function selectHeldDirective(
  tx: Queryable,
  scope: TenantScope,
  { id, runToken }: DirectiveRun,
): Promise<HeldDirective | undefined> {
  const [row] = await tx.query<HeldDirective>(
    `/* selectHeldDirective */ select ${CANCEL} from ${scope.schema}.directives where ${HELD}`,
    [scope.slug, id, runToken],
  )
  return row
}

/** The same, and nobody takes it over until the transaction ends. */
export async function holdDirective(
  tx: Queryable,
  scope: TenantScope,
  { id, runToken }: DirectiveRun,
): Promise<HeldDirective | undefined> {
  const [row] = await tx.query<HeldDirective>(
    `/* holdDirective */ select ${CANCEL} from ${scope.schema}.directives where ${HELD} for share`,
    [scope.slug, id, runToken],
  )
  return row
}

/** The steps of a directive that have ended, in that order. */
export async function selectDirectiveSteps(
  tx: Queryable,
  scope: TenantScope,
  id: string,
): Promise<readonly DirectiveStep[]> {
  return tx.query<DirectiveStep>(
    `/* selectDirectiveSteps */ select name, result, undone_at is not null as "isUndone", undo_error as "undoError"
     from ${scope.schema}.directive_steps where tenant = $1 and directive_id = $2::text::uuid order by position`,
    [scope.slug, id],
  )
}

/** A step to be noted as ended. */
export interface EndedStep {
  readonly name: string
  readonly result: JsonValue
  readonly attempt: number
}

/**
 * Notes that a step has ended, once.
 *
 * @returns undefined when another run has the directive.
 */
export async function insertDirectiveStep(
  tx: Queryable,
  scope: TenantScope,
  { id, runToken }: DirectiveRun,
  { name, result, attempt }: EndedStep,
): Promise<HeldDirective | undefined> {
  const [row] = await tx.query<HeldDirective>(
    `/* insertDirectiveStep */ with held as (
       select id, cancel_requested, cancel_reason from ${scope.schema}.directives where ${HELD} for share
     ), noted as (
       insert into ${scope.schema}.directive_steps (tenant, directive_id, name, result, attempt)
       select $1, id, $4, $5::text::jsonb, $6 from held on conflict do nothing
     )
     select ${CANCEL} from held`,
    [scope.slug, id, runToken, name, JSON.stringify(result), attempt],
  )
  return row
}

/**
 * Notes that a step was undone, or why it could not be.
 *
 * @returns undefined when another run has the directive.
 */
export async function markStepUndone(
  tx: Queryable,
  scope: TenantScope,
  { id, runToken }: DirectiveRun,
  { name, error, attempt }: { readonly name: string; readonly error: string | null; readonly attempt: number },
): Promise<HeldDirective | undefined> {
  const [row] = await tx.query<HeldDirective>(
    `/* markStepUndone */ with held as (
       select id, cancel_requested, cancel_reason from ${scope.schema}.directives where ${HELD} for share
     ), noted as (
       insert into ${scope.schema}.directive_steps (tenant, directive_id, name, attempt, undone_at, undo_error)
       select $1, id, $4, $6, now(), $5 from held
       on conflict (${scope.placement === "shared" ? "tenant, " : ""}directive_id, name)
       do update set undone_at = excluded.undone_at, undo_error = excluded.undo_error
     )
     select ${CANCEL} from held`,
    [scope.slug, id, runToken, name, error, attempt],
  )
  return row
}

/** Why an attempt failed. */
export interface NotedFailure {
  readonly kind: string
  readonly message: string
  readonly details: JsonObject
}

/**
 * Notes that an attempt failed and will be followed by another: whoever runs it now writes nothing any more.
 *
 * @returns whether the run still had the directive.
 */
export async function noteDirectiveFailure(
  tx: Queryable,
  scope: TenantScope,
  { id, runToken }: DirectiveRun,
  { kind, message, details }: NotedFailure,
): Promise<boolean> {
  const rows = await tx.query(
    `/* noteDirectiveFailure */ update ${scope.schema}.directives
     set failures = failures + 1, error_kind = $4, error_message = $5, error_details = $6::text::jsonb,
       run_token = run_token + 1, updated_at = now()
     where ${HELD} returning id`,
    [scope.slug, id, runToken, kind, message, JSON.stringify(details)],
  )
  return rows.length > 0
}

/**
 * Notes that a directive will end, once what was done is undone. Steps that are still under way are not noted any more.
 *
 * @returns the token of what follows; undefined when another run has the directive.
 */
export async function noteDirectiveEnding(
  tx: Queryable,
  scope: TenantScope,
  { id, runToken }: DirectiveRun,
  ending: "failed" | "cancelled",
  { kind, message, details }: NotedFailure,
): Promise<DirectiveRun | undefined> {
  const [row] = await tx.query<{ readonly runToken: string }>(
    `/* noteDirectiveEnding */ update ${scope.schema}.directives
     set ending = $4, error_kind = $5, error_message = $6, error_details = $7::text::jsonb, run_token = run_token + 1,
       updated_at = now()
     where ${HELD} returning run_token::text as "runToken"`,
    [scope.slug, id, runToken, ending, kind, message, JSON.stringify(details)],
  )
  return row && { id, runToken: row.runToken }
}

/** Writes down how far a run is. @returns undefined when another run has the directive */
export async function saveDirectiveProgress(
  tx: Queryable,
  scope: TenantScope,
  { id, runToken }: DirectiveRun,
  progress: DirectiveProgress,
): Promise<HeldDirective | undefined> {
  const [row] = await tx.query<HeldDirective>(
    `/* saveDirectiveProgress */ update ${scope.schema}.directives set progress = $4::text::jsonb, updated_at = now()
     where ${HELD} returning ${CANCEL}`,
    [scope.slug, id, runToken, JSON.stringify(progress)],
  )
  return row
}
