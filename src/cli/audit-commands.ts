import { type Command, InvalidArgumentError } from "commander"
import {
  auditAnchor,
  auditCheck,
  type AuditCheckOptions,
  type AuditDatabaseOptions,
  auditExport,
  type AuditExportOptions,
  auditKey,
  auditList,
  auditPrune,
  type AuditPruneOptions,
  auditReseal,
  type AuditResealOptions,
  type AuditShowOptions,
  auditVerify,
  type AuditVerifyOptions,
} from "./audit.ts"
import type { CommandContext } from "./command-context.ts"

const DATA_DIRECTORY = ".fleetprompt/data"
const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value]

/** Adds `fleetprompt audit …`. */
export function addAuditCommands(program: Command, contextOf: () => CommandContext): void {
  const audit = program
    .command("audit")
    .description("Audit logs: read, check, export, prune. * stands for the platform's own log.")
  const add = (name: string, description: string): Command =>
    audit
      .command(name)
      .description(description)
      .option("--data-directory <path>", "files of the embedded database (not used with DATABASE_URL)", DATA_DIRECTORY)
      .option("--key <public key>", "a public key that signed before the present one; may be repeated", collect, [])

  add("list <tenant>", "Print entries, newest first.")
    .option("--actor <id>", "only what this one did")
    .option("--action <pattern>", "only these actions: member.**")
    .option("--resource <resource>", "only what was done to it: member:* are all members")
    .option("--outcome <outcome>", "done, denied or failed")
    .option("--from <time>", "happened then or later, RFC 3339")
    .option("--to <time>", "happened before, RFC 3339")
    .option("--before <position>", "only entries before this place", wholeNumber)
    .option("--limit <number>", "how many, up to 500", wholeNumber, 50)
    .option("--json", "print one JSON object", false)
    .action((tenant: string, options: AuditShowOptions) => auditList(tenant, options, contextOf()))
  add(
    "verify [tenants...]",
    "Check the logs of these tenants, or of all and the platform; exit code 1 when one is broken.",
  )
    .option("--anchors <file>", "heads that were kept elsewhere, as printed by: audit anchor")
    .option("--json", "print one JSON array", false)
    .action((tenants: readonly string[], options: AuditVerifyOptions) => auditVerify(tenants, options, contextOf()))
  add("export <tenant>", "Write a log with its hashes and its signed head as JSON Lines.")
    .requiredOption("--file <path>", "a new file; - for standard output")
    .action((tenant: string, options: AuditExportOptions) => auditExport(tenant, options, contextOf()))
  audit
    .command("check <file>")
    .description("Check an export without a database; exit code 1 when it is broken.")
    .requiredOption("--key <public key>", "who may have signed, as printed by: audit key; may be repeated", collect, [])
    .option("--anchors <file>", "heads that were kept elsewhere")
    .option("--json", "print one JSON object", false)
    .action((file: string, options: AuditCheckOptions) => auditCheck(file, options, contextOf()))
  add("anchor [tenants...]", "Print the signed heads of logs, to be kept elsewhere, one JSON object a line.").action(
    (tenants: readonly string[], options: AuditDatabaseOptions) => auditAnchor(tenants, options, contextOf()),
  )
  add("key", "Print the public key by which exports are checked.").action((options: AuditDatabaseOptions) =>
    auditKey(options, contextOf()),
  )
  add("prune <tenant>", "Remove old rows that an archive has.")
    .requiredOption("--archive <file>", "an export that has them; it is checked first")
    .requiredOption("--before <time>", "only what happened before, RFC 3339")
    .option("--by <name>", "who decided; default: who runs the command")
    .action((tenant: string, options: AuditPruneOptions) => auditPrune(tenant, options, contextOf()))
  add("reseal [tenants...]", "Sign logs as they stand, after a key was lost or a finding was looked into.")
    .requiredOption("--reason <text>", "why; kept in the log")
    .option("--by <name>", "who decided; default: who runs the command")
    .action((tenants: readonly string[], options: AuditResealOptions) => auditReseal(tenants, options, contextOf()))
}

function wholeNumber(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("expected a whole number above 0.")
  return value
}
