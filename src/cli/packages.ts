import { readFile } from "node:fs/promises"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { type Command, InvalidArgumentError } from "commander"
import { actingFor } from "../access/acting.ts"
import { FleetPromptError } from "../errors.ts"
import type { Fleet } from "../fleet.ts"
import { checkManifest } from "../packages/check-manifest.ts"
import { parseManifest, readManifest } from "../packages/define-package.ts"
import { diffManifests } from "../packages/diff-manifests.ts"
import type { PackageFilter } from "../packages/list-packages.ts"
import type { PackageManifest } from "../packages/manifest.ts"
import { manifestChecksum } from "../packages/manifest-checksum.ts"
import type { CommandContext } from "./command-context.ts"
import { detailText, diffText, packageTable, problemsText } from "./package-text.ts"
import { addRolloutCommands } from "./rollouts.ts"
import { whoRuns, withFleet } from "./with-fleet.ts"

interface CommonOptions {
  readonly json: boolean
}

interface DatabaseOptions extends CommonOptions {
  readonly dataDirectory: string
}

const FAILED = 1
const DATA_DIRECTORY = ".fleetprompt/data"
const MODULE = /\.[cm]?[jt]s$/

/** Adds `fleetprompt packages …`. */
export function addPackageCommands(program: Command, contextOf: () => CommandContext): void {
  const packages = program
    .command("packages")
    .description("Packages: check a manifest, publish it, see what differs, look at the catalogue.")
  const add = (name: string, description: string, parent = packages): Command =>
    parent.command(name).description(description).option("--json", "print JSON", false)
  const addWithDatabase = (name: string, description: string, parent = packages): Command =>
    add(name, description, parent).option(
      "--data-directory <path>",
      "files of the embedded database (not used with DATABASE_URL)",
      DATA_DIRECTORY,
    )
  add("validate <file>", "Check a manifest without a database; exit code 1 when something is wrong.").action(
    (file: string, options: CommonOptions) => validatePackage(file, options, contextOf()),
  )
  addWithDatabase("publish <file>", "Put a version into the catalogue, for good. Safe to repeat.")
    .option("--by <name>", "who publishes, for the audit log; default: who runs the command")
    .action((file: string, options: PublishOptions) => publishFile(file, options, contextOf()))
  addWithDatabase(
    "diff <from> <to>",
    "Show what differs between two manifests: files, or slug@version of the catalogue.",
  )
    .addHelpText("after", DIFF_EXAMPLES)
    .action((from: string, to: string, options: DatabaseOptions) => diffPackages(from, to, options, contextOf()))
  addListCommand(addWithDatabase, contextOf)
  addRolloutCommands(packages, (parent, name, description) => addWithDatabase(name, description, parent), contextOf)
  addWithDatabase("show <slug>", "Print a package with its versions, what it needs and what tenants say.").action(
    (slug: string, options: DatabaseOptions) => showPackage(slug, options, contextOf()),
  )
}

const DIFF_EXAMPLES = `
Exit code: 0 when an upgrade breaks nothing, 1 when it does.

Examples:
  fleetprompt packages diff hot-leads@1.0.0 ./fleetprompt.package.json
  fleetprompt packages diff hot-leads@1.0.0 hot-leads@latest`

function addListCommand(
  addWithDatabase: (name: string, description: string) => Command,
  contextOf: () => CommandContext,
): void {
  addWithDatabase("list", "Print the packages of the catalogue, the best first.")
    .option("--search <words>", "those that have all these words; the beginning of a word is enough")
    .option("--category <category>", "only these")
    .option("--publisher <publisher>", "only this one's")
    .option("--keyword <keyword>", "only those with it")
    .option("--min-rating <number>", "only those rated so or better, 1 to 5", numberOf)
    .option("--sort <order>", "relevance, installs, rating or newest")
    .option("--limit <number>", "how many, up to 500", numberOf, 50)
    .option("--after <place>", "the next of the page before")
    .action((options: DatabaseOptions & PackageFilter) => listAll(options, contextOf()))
}

/** Checks a manifest. The exit code is 1 when anything is wrong. */
export async function validatePackage(file: string, { json }: CommonOptions, context: CommandContext): Promise<void> {
  const value = await readFileValue(file)
  const problems = checkManifest(value)
  if (problems.length > 0) process.exitCode = FAILED
  if (json) return context.output(JSON.stringify({ ok: problems.length === 0, problems }))
  if (problems.length > 0) return context.output(problemsText(file, problems))
  const manifest = readManifest(value)
  context.output(`ok  ${manifest.slug} ${manifest.version}  ${manifestChecksum(manifest)}`)
}

/** Options of `packages publish`. */
export interface PublishOptions extends DatabaseOptions {
  readonly by?: string
}

/** Publishes a manifest. */
export async function publishFile(file: string, options: PublishOptions, context: CommandContext): Promise<void> {
  const value = await readFileValue(file)
  await withFleet(options, context, async ({ packages }) => {
    const published = await packages.publish(value, { by: actingFor(whoRuns(options.by)) })
    if (options.json) return context.output(JSON.stringify(published))
    const { version, inserted } = published
    const what = `${version.slug} ${version.version}  ${version.checksum}`
    context.output(
      inserted ? `published  ${what}` : `unchanged  ${what}: it was published with the same contents before`,
    )
  })
}

/** Shows what differs. The exit code is 1 when an upgrade would break something. */
export async function diffPackages(
  from: string,
  to: string,
  options: DatabaseOptions,
  context: CommandContext,
): Promise<void> {
  const compare = async (fleet?: Fleet): Promise<void> => {
    const diff = diffManifests(await manifestAt(from, fleet), await manifestAt(to, fleet))
    context.output(options.json ? JSON.stringify(diff) : diffText(diff))
    if (diff.isBreaking) process.exitCode = FAILED
  }
  if (isOfCatalogue(from) || isOfCatalogue(to)) await withFleet(options, context, compare)
  else await compare()
}

/** Prints the catalogue. */
export async function listAll(options: DatabaseOptions & PackageFilter, context: CommandContext): Promise<void> {
  const { dataDirectory: _, json, ...filter } = options
  await withFleet(options, context, async ({ packages }) => {
    const page = await packages.list(filter)
    if (json) return context.output(JSON.stringify(page))
    context.output(packageTable(page.packages))
    if (page.next !== null) context.terminal.line(`more: --after ${page.next}`)
  })
}

/** Prints one package. */
export async function showPackage(slug: string, options: DatabaseOptions, context: CommandContext): Promise<void> {
  await withFleet(options, context, async ({ packages }) => {
    const detail = await packages.get(slug)
    if (!detail) throw unknown(slug)
    const { reviews } = await packages.reviews(slug, { limit: 5 })
    context.output(options.json ? JSON.stringify({ ...detail, latestReviews: reviews }) : detailText(detail, reviews))
  })
}

const OF_CATALOGUE = /^([a-z0-9-]+)@([^/\\]+)$/

function isOfCatalogue(name: string): boolean {
  return OF_CATALOGUE.test(name)
}

/** A file's manifest, or that of a version of the catalogue. */
async function manifestAt(name: string, fleet: Fleet | undefined): Promise<PackageManifest> {
  const [, slug, wanted] = OF_CATALOGUE.exec(name) ?? []
  if (!fleet || slug === undefined || wanted === undefined) return readManifest(await readFileValue(name))
  const version = wanted === "latest" ? (await fleet.packages.get(slug))?.latestVersion : wanted
  const manifest = version === undefined ? undefined : await fleet.packages.manifest(slug, version)
  if (!manifest) throw unknown(name)
  return manifest
}

/** What a file holds: JSON, or the default export of a module. */
async function readFileValue(file: string): Promise<unknown> {
  if (MODULE.test(file)) {
    const loaded: unknown = await import(pathToFileURL(resolve(file)).href)
    return typeof loaded === "object" && loaded !== null && "default" in loaded ? loaded.default : undefined
  }
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new FleetPromptError("config_invalid", `expected a manifest at ${file}, it cannot be read; check the path`, {
      cause,
    })
  })
  try {
    return JSON.parse(text)
  } catch {
    // Throws with what to do.
    return parseManifest(text)
  }
}

function unknown(name: string): FleetPromptError {
  return new FleetPromptError(
    "package_unknown",
    `expected a package of the catalogue, there is no ${name}; see fleetprompt packages list`,
  )
}

function numberOf(text: string): number {
  const value = Number(text)
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError("expected a number above 0.")
  return value
}
