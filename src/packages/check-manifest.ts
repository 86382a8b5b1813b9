import { Cron } from "croner"
import semver from "semver"
import { isFleetPromptError } from "../errors.ts"
import type { JsonValue } from "../signal/json.ts"
import { checkPattern } from "../signal/pattern.ts"
import { checkCondition } from "./condition.ts"
import { defaultsOf } from "./config.ts"
import { compileSchema } from "./json-schema.ts"
import type {
  ActionBinding,
  HandlerBinding,
  JsonSchema,
  ManifestProblem,
  ManifestSchedule,
  ManifestSensor,
  PackageManifest,
} from "./manifest.ts"
import { manifestChecksum } from "./manifest-checksum.ts"
import { manifestShape } from "./manifest-shape.ts"
import { checkPlaceholders } from "./placeholders.ts"
import { checkPlain } from "./plain-data.ts"
import { pointerTo } from "./pointer.ts"
import { checkSchema } from "./schema-bounds.ts"
import { checkShape, isObject } from "./shape-check.ts"
import { closest } from "./suggest.ts"

/** Longest JSON of a manifest, UTF-8 bytes. */
const MAX_BYTES = 262_144
/** What the platform itself tells; a package cannot say it. */
const PLATFORM_SIGNALS = ["directive.", "package.", "fleetprompt.", "tenant."]

/** The parts of a manifest that are good as far as their shape goes. */
type Sound = Partial<PackageManifest>

/**
 * Everything that is wrong with a manifest; nothing when it is good. What has the wrong shape is told, and what is
 * left is looked at further, so that one look tells as much as it can.
 */
export function checkManifest(manifest: unknown): readonly ManifestProblem[] {
  const plain = checkPlain(manifest, "")
  if (plain.length > 0) return plain
  if (!isObject(manifest)) return checkShape(manifestShape, manifest, "")
  const bytes = Buffer.byteLength(JSON.stringify(manifest))
  if (bytes > MAX_BYTES)
    return [{ pointer: "", message: `expected at most ${MAX_BYTES} bytes of JSON as a manifest, got ${bytes}` }]
  const shape = checkShape(manifestShape, manifest, "")
  const faulty = new Set(shape.map(({ pointer }) => pointer.split("/")[1]))
  // What is left has the shape of a manifest's fields, which was just looked at.
  const sound = Object.fromEntries(Object.entries(manifest).filter(([name]) => !faulty.has(name))) as Sound
  const further = CHECKS.flatMap((check) => check(sound, faulty))
  return [...shape, ...further, ...(shape.length + further.length === 0 ? checkChecksum(manifest) : [])]
}

type Check = (sound: Sound, faulty: ReadonlySet<string | undefined>) => readonly ManifestProblem[]

const CHECKS: readonly Check[] = [
  checkVersions,
  checkNames,
  checkConfig,
  checkSchemas,
  checkHandlers,
  checkCredentials,
  checkTemplates,
  checkSchedules,
  checkSensorNames,
  checkSignals,
]

function checkVersions({ version, slug, dependencies = {}, platform }: Sound): readonly ManifestProblem[] {
  const ranges = Object.entries(dependencies).map(([each, range]) => [pointerTo("/dependencies", each), range] as const)
  if (platform !== undefined) ranges.push(["/platform", platform])
  const wrong = ranges
    .filter(([, range]) => semver.validRange(range) === null)
    .map(([pointer, range]) => ({
      pointer,
      message: `expected a range of versions such as "^1.2.0" or ">=1.0.0 <3", got ${JSON.stringify(range)}`,
    }))
  const own = slug !== undefined && Object.hasOwn(dependencies, slug)
  return [
    ...(version !== undefined && semver.valid(version) !== version
      ? [{ pointer: "/version", message: `expected a SemVer version such as "1.2.0", got ${JSON.stringify(version)}` }]
      : []),
    ...wrong,
    ...(own
      ? [{ pointer: pointerTo("/dependencies", slug), message: "expected another package, got this one; remove it" }]
      : []),
  ]
}

const NAMED = ["credentials", "agents", "workflows", "skills", "sensors", "schedules", "handlers", "actions"] as const

function checkNames(sound: Sound): readonly ManifestProblem[] {
  const parts = NAMED.map((part) => [`/${part}`, (sound[part] ?? []).map(({ name }) => name), "/name"] as const)
  const { emitted = [], consumed = [] } = sound.signals ?? {}
  return [
    ...parts,
    ["/signals/emitted", emitted.map(({ type }) => type), "/type"] as const,
    ["/signals/consumed", consumed.map(({ type }) => type), "/type"] as const,
    ["/keywords", sound.keywords ?? [], ""] as const,
    ["/directives", sound.directives ?? [], ""] as const,
  ].flatMap(([pointer, names, end]) =>
    names.flatMap((name, at) =>
      names.indexOf(name) === at
        ? []
        : [
            {
              pointer: `${pointerTo(pointer, at)}${end}`,
              message: `expected each name once, got "${name}" again, after ${pointerTo(pointer, names.indexOf(name))}; rename or remove one`,
            },
          ],
    ),
  )
}

function checkConfig({ config }: Sound): readonly ManifestProblem[] {
  if (config === undefined) return []
  if (typeof config === "boolean" || config["type"] !== "object")
    return [{ pointer: "/config/type", message: `expected a schema of type "object" as config, got another` }]
  const faults = checkSchema(config, "/config")
  return faults.length > 0 ? faults : checkDefaults(config)
}

/** Each default has to fit what it is the default of. */
function checkDefaults(config: JsonSchema): readonly ManifestProblem[] {
  const defs = typeof config === "object" ? config["$defs"] : undefined
  return defaultsOf(config).flatMap(({ keys, value, schema }) => {
    const pointer = [...keys, "default"].reduce<string>(pointerTo, "/config")
    const check = compileSchema(defs === undefined ? schema : { ...schema, $defs: defs })
    // A default of an object may leave out what its own properties have defaults for.
    return isObject(value) ? [] : check(value, pointer)
  })
}

function checkSchemas({ actions = [], signals = {} }: Sound): readonly ManifestProblem[] {
  const ofActions = actions.flatMap(({ params, result }, at) => [
    [`/actions/${at}/params`, params] as const,
    [`/actions/${at}/result`, result] as const,
  ])
  const ofSignals = (["emitted", "consumed"] as const).flatMap((way) =>
    (signals[way] ?? []).map(({ schema }, at) => [`/signals/${way}/${at}/schema`, schema] as const),
  )
  return [...ofActions, ...ofSignals].flatMap(([pointer, schema]) =>
    schema === undefined ? [] : checkSchema(schema, pointer),
  )
}

function checkHandlers({ handlers = [] }: Sound): readonly ManifestProblem[] {
  return handlers.flatMap(({ on, where }, at) => [
    ...patternProblems(on, `/handlers/${at}/on`),
    ...(where === undefined ? [] : checkCondition(where, `/handlers/${at}/where`)),
  ])
}

function patternProblems(pattern: string, pointer: string): readonly ManifestProblem[] {
  try {
    checkPattern(pattern)
    return []
  } catch (error) {
    if (isFleetPromptError(error)) return [{ pointer, message: error.message }]
    throw error
  }
}

function checkCredentials(
  { handlers = [], actions = [], sensors = [], credentials = [] }: Sound,
  faulty: ReadonlySet<string | undefined>,
): readonly ManifestProblem[] {
  if (faulty.has("credentials")) return []
  const known = credentials.map(({ name }) => name)
  const unknown = (
    part: string,
    bindings: readonly (HandlerBinding | ActionBinding | ManifestSensor)[],
  ): readonly ManifestProblem[] =>
    bindings.flatMap(({ credentials: names = [] }, at) =>
      names.flatMap((name, place) => {
        if (known.includes(name)) return []
        const near = closest(name, known)
        const remedy = near === undefined ? "declare it in credentials" : `did you mean "${near}"?`
        const message = `expected the name of one of the package's credentials, got "${name}"; ${remedy}`
        return [{ pointer: `/${part}/${at}/credentials/${place}`, message }]
      }),
    )
  return [...unknown("handlers", handlers), ...unknown("actions", actions), ...unknown("sensors", sensors)]
}

/** The places whose texts are filled from the configuration. */
function checkTemplates(sound: Sound, faulty: ReadonlySet<string | undefined>): readonly ManifestProblem[] {
  if (faulty.has("config")) return []
  const parts = ["agents", "workflows", "skills", "sensors", "handlers", "actions"] as const
  const places = parts.flatMap((part) =>
    (sound[part] ?? []).map((each, at): readonly [string, JsonValue | undefined] => [`/${part}/${at}/with`, each.with]),
  )
  const conditions = (sound.handlers ?? []).map(({ where }, at): readonly [string, JsonValue | undefined] => [
    `/handlers/${at}/where`,
    where,
  ])
  const data = (sound.schedules ?? []).map(({ emit }, at): readonly [string, JsonValue | undefined] => [
    `/schedules/${at}/emit/data`,
    emit.data,
  ])
  return [...places, ...conditions, ...data].flatMap(([pointer, value]) =>
    value === undefined ? [] : checkPlaceholders(value, sound.config, pointer),
  )
}

function checkSchedules({ schedules = [], sensors = [] }: Sound): readonly ManifestProblem[] {
  return [...checkMoments("schedules", schedules), ...checkMoments("sensors", sensors)]
}

/** One that runs has the name of a handler. */
function checkSensorNames({ sensors = [], handlers = [] }: Sound): readonly ManifestProblem[] {
  const taken = new Set(handlers.map(({ name }) => name))
  return sensors.flatMap(({ name, uses }, at) =>
    uses === undefined || !taken.has(name)
      ? []
      : [{ pointer: `/sensors/${at}/name`, message: `expected a name that no handler has, got "${name}"; rename one` }],
  )
}

function checkMoments(
  part: "schedules" | "sensors",
  clocks: readonly (ManifestSchedule | ManifestSensor)[],
): readonly ManifestProblem[] {
  return clocks.flatMap(({ cron = "* * * * *", timeZone = "UTC" }, at) => {
    try {
      const mode = cron.startsWith("@") ? "auto" : "5-or-6-parts"
      const next = new Cron(cron, { timezone: timeZone, paused: true, fixedTimeRule: "no-wildcard", mode }).nextRun()
      if (next !== null) return []
      return [{ pointer: `/${part}/${at}/cron`, message: `expected a date that comes, got ${JSON.stringify(cron)}` }]
    } catch {
      const message = `expected a cron expression such as "0 7 * * MON-FRI" and an IANA time zone, got ${JSON.stringify(cron)} in ${JSON.stringify(timeZone)}`
      return [{ pointer: `/${part}/${at}/cron`, message }]
    }
  })
}

function checkSignals({ signals = {}, schedules = [] }: Sound): readonly ManifestProblem[] {
  const emitted = (signals.emitted ?? []).map(({ type }, at) => [type, `/signals/emitted/${at}/type`] as const)
  const scheduled = schedules.map(({ emit }, at) => [emit.type, `/schedules/${at}/emit/type`] as const)
  return [...emitted, ...scheduled].flatMap(([type, pointer]) => {
    const taken = PLATFORM_SIGNALS.find((prefix) => type.startsWith(prefix))
    if (taken === undefined) return []
    return [
      {
        pointer,
        message: `expected no type that begins with "${taken}", which the platform itself tells; begin it otherwise`,
      },
    ]
  })
}

function checkChecksum(manifest: Readonly<Record<string, unknown>>): readonly ManifestProblem[] {
  // It has the shape of one.
  const { checksum } = manifest as Pick<PackageManifest, "checksum">
  if (checksum === undefined) return []
  const actual = manifestChecksum(manifest as unknown as PackageManifest)
  if (checksum === actual) return []
  return [
    {
      pointer: "/checksum",
      message: `expected the manifest's own checksum ${actual}, got ${checksum}; correct it or leave it out`,
    },
  ]
}
