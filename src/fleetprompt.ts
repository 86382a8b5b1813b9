/** The platform: tenants, signals, handlers, webhooks. */
export type { AcceptedInvitation, ShownInvitation } from "./access/accept-invitation.ts"
export { type Acting, actingAs, actingFor, type ActingOptions } from "./access/acting.ts"
export { apiKeyAuthenticator, type ApiKeyCheck } from "./access/api-key-authenticator.ts"
export type { ApiKeyOptions } from "./access/api-key-options.ts"
export { type ApiKeyPepper, parsePeppers } from "./access/api-key-text.ts"
export type { ApiKeyListOptions, NewKey, RotateOptions, TenantApiKeys } from "./access/api-keys.ts"
export { type Authenticate, firstOf } from "./access/authenticate.ts"
export type {
  InvitationListOptions,
  InvitationPage,
  InvitationRequest,
  SentInvitation,
  TenantInvitations,
} from "./access/invitations.ts"
export type { ClaimNames, TokenCaller } from "./access/jwt-claims.ts"
export { jwtAuthenticator, type JwtOptions } from "./access/jwt.ts"
export type { LimitVerdict, RequestLimit } from "./access/request-limiter.ts"
export type { ServiceAccountOptions, TenantServiceAccounts } from "./access/service-accounts.ts"
export type { ApiKeySettings } from "./fleet/callers.ts"
export type { ApiKeyOwner, ApiKeyRecord } from "./store/api-keys.ts"
export type { ServiceAccountChange, ServiceAccountRecord } from "./store/service-accounts.ts"
export type { MemberListOptions, MemberPage, TenantMembers } from "./access/members.ts"
export type { NewOrganisation, Organisations, TenantOrganisation } from "./access/organisations.ts"
export type { NewPerson, People, PeopleListOptions, PersonChange } from "./access/people.ts"
export type { Permission } from "./access/policies.ts"
export { type AccessPolicy, NO_TENANT, type Resource } from "./access/policy.ts"
export type { Principal, Role } from "./access/principal.ts"
export type { Restrictions } from "./access/restrictions.ts"
export type { SignedIn } from "./access/signed-in.ts"
export type { PrincipalOptions } from "./access/standing.ts"
export type { AuditActor, AuditEntry } from "./audit/audit-entry.ts"
export type { AuditHead } from "./audit/audit-head.ts"
export type { AuditLog } from "./audit/audit-door.ts"
export type { AuditFilter, AuditListOptions, AuditPage, LoggedAuditEntry } from "./audit/audit-list.ts"
export type { AuditFinding } from "./audit/chain-check.ts"
export type { ExportOptions } from "./audit/export-audit.ts"
export type { PruneOptions } from "./audit/prune-audit.ts"
export type { ResealOptions } from "./audit/reseal-audit.ts"
export type { AuditReport, VerifyOptions } from "./audit/verify-audit.ts"
export { type ExportReport, verifyAuditExport, type VerifyExportOptions } from "./audit/verify-export.ts"
export { githubWebhook, type GithubWebhookOptions } from "./connectors/github.ts"
export type { WebhookEvent, WebhookRequest, WebhookSource } from "./connectors/webhook-source.ts"
export type { Credential } from "./credentials/credential.ts"
export type { CredentialInput, CredentialListOptions, SecretInput } from "./credentials/credential-input.ts"
export { keyFile, type KeyFileOptions } from "./credentials/key-file.ts"
export type { KeyPurpose } from "./credentials/key-ring.ts"
export type { KeyService, RingKey, WrappedKey } from "./credentials/key-service.ts"
export { type CreateKeyServices, keyServiceContract } from "./credentials/key-service-contract.ts"
export type { KeyStatus, KeyUse } from "./credentials/key-status.ts"
export { localKeys } from "./credentials/local-keys.ts"
export type { CredentialRefresher, RefreshContext, Refreshed } from "./credentials/refresh.ts"
export type { RotationOptions, RotationReport, UnreadableCredential } from "./credentials/rotation.ts"
export type { TenantCredentials } from "./credentials/tenant-credentials.ts"
export { defineActionTemplate, defineHandlerTemplate } from "./delivery/define-template.ts"
export { defineHandler } from "./delivery/handler.ts"
export type {
  Emitted,
  Handler,
  HandlerContext,
  HandlerCredential,
  HandlerCredentials,
  HandlerDefinition,
  HandlerEmitOptions,
} from "./delivery/handler-definition.ts"
export type {
  ActionContext,
  ActionTemplate,
  ActionTemplateDefinition,
  HandlerTemplate,
  HandlerTemplateDefinition,
  NamedCredentials,
  Template,
  TemplateContext,
  TemplatePackage,
} from "./delivery/template.ts"
export type { WorkerSettings } from "./delivery/worker.ts"
export {
  type CatchUp,
  defineSchedule,
  type Schedule,
  type ScheduleDefinition,
  type ScheduledTenant,
} from "./delivery/schedule.ts"
export { type Cancel, cancel, type HandlerResult, type Snooze, snooze } from "./delivery/outcome.ts"
export { defineDirective } from "./directives/define-directive.ts"
export type {
  Directive,
  DirectiveContext,
  DirectiveDefinition,
  DirectiveFailure,
  DirectiveTrail,
  StepCall,
  StepOptions,
  TrailSignal,
  TrailStage,
  TransactionCall,
  UndoContext,
} from "./directives/directive.ts"
export type {
  DirectiveDecision,
  DirectiveListOptions,
  DirectivePage,
  DirectiveRequest,
  DirectiveRequested,
  FleetDirectives,
  TenantDirectives,
} from "./directives/directives-door.ts"
export type { EmitQueueSettings } from "./emit/admission.ts"
export type { RetentionOptions } from "./emit/retention-handler.ts"
export type { EmitItem, EmitOptions, EmitResult } from "./emit/emit.ts"
export { type ErrorCode, FleetPromptError, isFleetPromptError } from "./errors.ts"
export { createFleet, type Fleet } from "./fleet.ts"
export type { Health, HealthCheck } from "./fleet/health.ts"
export type { FleetKeys } from "./fleet/keys-door.ts"
export type { CellOptions, CommitListener, FleetOptions, MigrationOptions, StopOptions } from "./fleet/options.ts"
export type { Schedules } from "./fleet/schedules-door.ts"
export type { SignalAttributes } from "./guard/normalise.ts"
export type { AttemptView, EffectNode, SignalBrief, SignalDetail } from "./inspect/signal-detail.ts"
export type { DeliveryView, ListOptions, SignalPage, SignalView } from "./inspect/signal-list.ts"
export type { TailedSignal, TailOptions } from "./inspect/tail.ts"
export type { Direction, SchemaChange } from "./packages/compare-schemas.ts"
export { type AppliedConfig, applyConfig, configChecksum } from "./packages/config.ts"
export { definePackage, parseManifest } from "./packages/define-package.ts"
export {
  diffManifests,
  type ManifestDiff,
  type ManifestPart,
  type PartChange,
  type SignalChange,
} from "./packages/diff-manifests.ts"
export type {
  BrokenConsumer,
  InstallationPlan,
  MissingCredential,
  PlannedChange,
  PlannedDependency,
  PlanProblem,
} from "./packages/installations/installation-plan.ts"
export type {
  ExecuteOptions,
  FleetPackages,
  InstallationDetail,
  InstallationListOptions,
  InstallationPage,
  PackageOrder,
  PackageOrdered,
  PackageWish,
  PlanRequest,
  TenantPackages,
} from "./packages/installations/tenant-packages.ts"
export type { PackageFilter, PackagePage } from "./packages/list-packages.ts"
export type {
  ActionBinding,
  Condition,
  ConditionOp,
  CredentialNeed,
  HandlerBinding,
  JsonSchema,
  ManifestProblem,
  ManifestRecord,
  ManifestSchedule,
  ManifestSensor,
  ManifestSignals,
  PackageManifest,
  SignalContract,
} from "./packages/manifest.ts"
export type { PackageDetail } from "./packages/package-detail.ts"
export type { PackageRequest, Packages } from "./packages/packages-door.ts"
export type { Published } from "./packages/publish.ts"
export type { InstalledPackage, Resolution, ResolvedStep } from "./packages/resolution.ts"
export {
  defineRolloutCheck,
  type RolloutCheck,
  type RolloutCheckContext,
  type RolloutHealth,
  type UpgradedTenant,
} from "./packages/rollouts/rollout-check.ts"
export type {
  RolloutDecision,
  RolloutGate,
  RolloutRequest,
  Rollouts,
  RolloutState,
  RolloutTenantListOptions,
} from "./packages/rollouts/rollouts-door.ts"
export type { Review, ReviewListOptions, ReviewPage } from "./packages/reviews.ts"
export type { VersionChangeOptions } from "./packages/version-status.ts"
export type { JsonObject, JsonValue } from "./signal/json.ts"
export type { Signal } from "./signal/signal.ts"
export type { SignalMetadata, StoredSignal, Visibility } from "./signal/stored-signal.ts"
export type { CredentialKind, CredentialRecord, CredentialStatus } from "./store/credentials.ts"
export type { DirectiveActor, DirectiveProgress, DirectiveRecord, DirectiveStatus } from "./store/directives.ts"
export type { BindingRecord } from "./store/bindings.ts"
export type { SnapshotHead } from "./store/installation-snapshots.ts"
export type { InstallationRecord, InstallationStatus } from "./store/installations.ts"
export type { InstalledRecord, InstalledRecordKind } from "./store/package-records.ts"
export type { Queryable, Transaction } from "./store/database.ts"
export type { TenantCounts } from "./store/inspect.ts"
export type { PackageReviewRecord } from "./store/package-reviews.ts"
export type { DependentRecord, PackageVersionRecord, PackageVersionStatus } from "./store/package-versions.ts"
export type { RolloutTenant, RolloutTenantState } from "./store/package-rollout-tenants.ts"
export type { RolloutRecord, RolloutStatus, RolloutVerdict } from "./store/package-rollouts.ts"
export type { PackageRecord, PackageSort } from "./store/packages.ts"
export type { JoinableTransaction } from "./store/joined-transaction.ts"
export type { InvitationRecord } from "./store/invitations.ts"
export type { MemberRecord, MemberRole } from "./store/memberships.ts"
export type { OrganisationRecord } from "./store/organisations.ts"
export type { Identity, OwnOrganisation, UserRecord } from "./store/people.ts"
export type {
  MigrationError,
  MigrationErrorKind,
  MigrationRun,
  MigrationRunKind,
  MigrationStatus,
  RunCounts as MigrationCounts,
  VersionCount,
} from "./store/migration-runs.ts"
export type { ScheduleRecord } from "./store/schedules.ts"
export type { OperationKind, OperationRecord, OperationStatus } from "./store/tenant-operations.ts"
export type { Placement } from "./store/tenant-scope.ts"
export type { TenantClass, TenantRecord, TenantStatus } from "./store/tenants.ts"
export {
  type AttemptOutcome,
  eventListener,
  type TelemetryEvent,
  type TelemetryEvents,
  type TelemetryListener,
  type TelemetryName,
} from "./telemetry/events.ts"
export type { FleetStats } from "./telemetry/fleet-stats.ts"
export { logTo, type LogLevel, type LogOptions } from "./telemetry/log-to.ts"
export type { SpanListener, SpanName, TelemetrySpan, TelemetrySpans } from "./telemetry/spans.ts"
export type {
  DeadLetterDetail,
  DeadLetterListOptions,
  DeadLetterPage,
  DiscardOptions,
  TenantDeadLetters,
} from "./tenants/dead-letters.ts"
export type { DeadLetterFilter } from "./tenants/dead-letter-filter.ts"
export type { FleetPauses, PauseOptions, TenantPauses } from "./tenants/pauses.ts"
export type {
  MigrationDecision,
  MigrationListOptions,
  Migrations,
  MigrationState,
} from "./tenants/migrations/migrations-door.ts"
export type { RequestOptions as MigrationRequestOptions } from "./tenants/migrations/request-migrations.ts"
export type { ProvisionOptions } from "./tenants/provision.ts"
export type { ReplayFilter, ReplayRequest } from "./tenants/replay-request.ts"
export type { Replay, ReplayActor } from "./tenants/replay-view.ts"
export type { TenantReplays } from "./tenants/replays.ts"
export type { RequestedBy } from "./tenants/act-entry.ts"
export type { DeleteOptions } from "./tenants/lifecycle.ts"
export type { FleetOperations, OperationListOptions } from "./tenants/operations.ts"
export type { RepairOptions, TenantFinding, TenantProblem, TenantRepair } from "./tenants/reconcile.ts"
export type { OpenDeliveryListOptions, OpenDeliveryPage } from "./inspect/open-deliveries.ts"
export type { OpenDelivery } from "./store/open-deliveries.ts"
export type { Emit, Tenant, TenantDeliveries, TenantSignals } from "./tenants/tenant.ts"
export type {
  ExportOptions as TenantExportOptions,
  FleetTenants,
  ImportOptions as TenantImportOptions,
  MoveOptions,
  TenantListOptions,
} from "./tenants/tenants-door.ts"
