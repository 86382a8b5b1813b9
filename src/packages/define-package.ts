import { FleetPromptError } from "../errors.ts"
import { freezeJson } from "../signal/json.ts"
import { checkManifest } from "./check-manifest.ts"
import type { ManifestProblem, PackageManifest } from "./manifest.ts"

/** Problems that stand in an error's message. `checkManifest` tells all. */
const MAX_TOLD = 20

/**
 * Checks a manifest and returns a frozen copy of it, for those who write theirs in code. The file
 * `fleetprompt.package.json` holds the same.
 *
 * @throws FleetPromptError `package_invalid`, which lists every reason
 * @example
 * export default definePackage({
 *   slug: "hot-leads",
 *   name: "Hot leads",
 *   version: "1.0.0",
 *   description: "Tells the sales team of leads with a high score.",
 *   category: "sales",
 *   publisher: "acme",
 *   license: "MIT",
 *   config: { type: "object", properties: { minScore: { type: "integer", default: 90 } } },
 *   handlers: [
 *     { name: "tell", uses: "chat.notify", on: "lead.qualified", where: { path: "data.score", op: "gte", value: "${config.minScore}" } },
 *   ],
 * })
 */
export function definePackage(manifest: PackageManifest): PackageManifest {
  return readManifest(manifest)
}

/**
 * A value that was read from somewhere as a manifest: a frozen copy.
 *
 * @throws FleetPromptError `package_invalid`
 */
export function readManifest(value: unknown): PackageManifest {
  const problems = checkManifest(value)
  if (problems.length > 0) throw packageInvalid(problems)
  // It was just looked at.
  return freezeJson(structuredClone(value)) as PackageManifest
}

/**
 * The text of a `fleetprompt.package.json` as a manifest.
 *
 * @throws FleetPromptError `package_invalid`
 */
export function parseManifest(text: string): PackageManifest {
  return readManifest(parsed(text))
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new FleetPromptError(
      "package_invalid",
      "expected JSON as a package's manifest, got what is none; check commas, quotes and brackets",
      {
        cause,
      },
    )
  }
}

function packageInvalid(problems: readonly ManifestProblem[]): FleetPromptError {
  const told = problems.slice(0, MAX_TOLD).map(({ pointer, message }) => `${pointer || "/"}: ${message}`)
  const more = problems.length > MAX_TOLD ? [`and ${problems.length - MAX_TOLD} more`] : []
  return new FleetPromptError(
    "package_invalid",
    `expected a manifest that is good, got ${problems.length} ${problems.length === 1 ? "problem" : "problems"}:\n${[...told, ...more].join("\n")}`,
    problems[0] && { path: problems[0].pointer },
  )
}
