import type { JsonObject } from "../signal/json.ts"
import { list, record, type RecordShape, type Shape, text } from "./shape.ts"
import { schemaOf } from "./shape-schema.ts"

/** Entries of one kind in a package, at most. */
export const MAX_ENTRIES = 100
const MAX_KEYWORDS = 20
const MAX_DEPENDENCIES = 50
/** Conditions beside each other in one `all` or `any`. */
const MAX_CONDITIONS = 20

const WORD = "[a-z][a-z0-9]*(?:-[a-z0-9]+)*"
const NAME = "[A-Za-z0-9_-]+(?:\\.[A-Za-z0-9_-]+)*"
/** As semver.org has it, without build metadata: two versions that differ in that alone have no order. */
const NUMBER = "(?:0|[1-9]\\d{0,8})"
const PRERELEASE = "(?:0|[1-9]\\d*|\\d*[A-Za-z-][0-9A-Za-z-]*)"
const VERSION = `${NUMBER}\\.${NUMBER}\\.${NUMBER}(?:-${PRERELEASE}(?:\\.${PRERELEASE})*)?`
const HTTPS = "https://[A-Za-z0-9][A-Za-z0-9.-]*(?::\\d{1,5})?(?:[/?#][!-~]*)?"

const whole = (pattern: string): string => `^${pattern}$`
const slug = text(`a slug of small letters, digits and "-" such as "github-triage"`, 64, whole(WORD))
const word = text(`a word of small letters, digits and "-"`, 40, whole(WORD))
const name = text(`a name of letters, digits, "_", "-" and dots such as "triage"`, 100, whole(NAME))
const signalType = text(`a signal type such as "lead.received"`, 200, whole(NAME))
const directiveType = text(
  `a directive type such as "package.install"`,
  200,
  whole("[a-z][a-z0-9_]*(?:\\.[a-z0-9_]+)+"),
)
const address = text("an https address", 500, whole(HTTPS))
const line = text("a text", 500)
const range = text(`a range of versions such as "^1.2.0"`, 100)
const data: Shape = { kind: "data" }
const schema: Shape = { kind: "schema" }

const described = "For people."
const withText = "Plain data; texts may refer to ${config.x}."

const condition: Shape = { kind: "named", name: "condition", shape: () => conditionVariants }
const CONDITION = `a condition: { "all": [...] }, { "any": [...] }, { "not": {...} } or { "path", "op", "value" }`
const path = text(
  `"type", "source", "subject", "time", "data" or a path such as "data.issue.labels.0"`,
  200,
  whole("(?:type|source|subject|time|data(?:\\.[^.]+)*)"),
)
const COMPARISONS = ["eq", "ne", "gt", "gte", "lt", "lte", "in", "prefix"] as const
const has = (key: string) => (value: Readonly<Record<string, unknown>>) => Object.hasOwn(value, key)

const conditionVariants: Shape = {
  kind: "variants",
  what: CONDITION,
  of: [
    { fits: has("all"), shape: record({ all: [list(condition, MAX_CONDITIONS), "All of these hold."] }) },
    { fits: has("any"), shape: record({ any: [list(condition, MAX_CONDITIONS), "One of these holds."] }) },
    { fits: has("not"), shape: record({ not: [condition, "This does not hold."] }) },
    {
      fits: ({ op }) => op === "exists",
      shape: record({
        path: [path, "What is looked at."],
        op: [{ kind: "choice", of: ["exists"] }, "Whether it is there."],
      }),
    },
    {
      fits: (value) => has("path")(value) || has("op")(value),
      shape: record({
        path: [path, "What is looked at."],
        op: [{ kind: "choice", of: COMPARISONS }, "How it is compared; exists takes no value."],
        value: [{ kind: "any" }, "With what it is compared."],
      }),
    },
  ],
}

const credential = record({
  name: [name, "By which handlers and actions refer to it."],
  provider: [text(`a provider such as "github"`, 100, whole("[a-z0-9][a-z0-9._-]*")), "The system that it is for."],
  kind: [
    { kind: "choice", of: ["api_key", "oauth2", "basic", "certificate", "webhook_secret", "custom"] },
    "What kind of secret it is.",
  ],
  why: [line, "For whoever is to give it: what it is used for."],
  "scopes?": [list(text("a scope", 200), MAX_ENTRIES), "What it has to allow, in the provider's words."],
  "optional?": [{ kind: "flag" }, "Whether the package also works without it."],
})

const plainRecord = record({
  name: [name, "One of its own among its like in the package."],
  "description?": [line, described],
  "uses?": [name, "Template of the platform's that it is made from."],
  "with?": [data, withText],
})

const cron = text(`a cron expression such as "0 7 * * MON-FRI"`, 100)
const timeZone = text("an IANA time zone", 100)

const sensor = record({
  name: [name, "One of its own among the package's sensors, and its handlers when it uses a template."],
  "description?": [line, described],
  "uses?": [name, "Name of the platform's handler template that looks."],
  "cron?": [cron, "When it looks; each minute when it is left out."],
  "timeZone?": [timeZone, "Whose clock; UTC when it is left out."],
  "with?": [data, withText],
  "credentials?": [list(name, MAX_ENTRIES), "Names of credentials that it uses."],
})

const schedule = record({
  name: [name, "One of its own among the package's schedules."],
  "description?": [line, described],
  cron: [cron, "When: five fields, or six with seconds first."],
  "timeZone?": [timeZone, "Whose clock; UTC when it is left out."],
  emit: [
    record({
      type: [signalType, "Type of the signal."],
      "data?": [data, "Its data; slot and schedule are added."],
    }),
    "The signal that is emitted at each slot.",
  ],
})

const handler = record({
  name: [name, "One of its own among the package's handlers."],
  "description?": [line, described],
  uses: [name, "Name of the platform's handler template."],
  on: [text(`a pattern of signal types such as "github.**"`, 200), "Pattern of signal types."],
  "where?": [condition, "A further condition on the signal."],
  "with?": [data, withText],
  "credentials?": [list(name, MAX_ENTRIES), "Names of credentials that it uses."],
})

const action = record({
  name: [name, "By which it is called."],
  "description?": [line, described],
  uses: [name, "Name of the platform's action template."],
  "params?": [schema, "JSON Schema of what a call takes."],
  "result?": [schema, "JSON Schema of what it answers."],
  "with?": [data, withText],
  "credentials?": [list(name, MAX_ENTRIES), "Names of credentials that it uses."],
})

const contract = record({
  type: [signalType, "Type of the signal."],
  version: [{ kind: "integer", min: 1, max: 1_000_000 }, "Of the contract; one more when others would break."],
  "schema?": [schema, "JSON Schema of the data."],
  "description?": [line, described],
})

const signals = record({
  "emitted?": [list(contract, MAX_ENTRIES), "What its handlers emit."],
  "consumed?": [list(contract, MAX_ENTRIES), "What its handlers run on."],
})

/** What a manifest looks like. What a shape cannot say stands in check-manifest.ts. */
export const manifestShape: RecordShape = record({
  "$schema?": [text("an address", 500), "Address of this schema."],
  slug: [slug, "Names the package for good."],
  name: [text("a name", 80), described],
  version: [text(`a SemVer version such as "1.2.0"`, 64, whole(VERSION)), "SemVer, without build metadata."],
  description: [text("a text", 2_000), described],
  category: [word, "Where it is found: support."],
  publisher: [word, "Who publishes it; a package keeps its publisher."],
  license: [text("an SPDX license", 100, whole("[A-Za-z0-9.+() -]+")), "SPDX identifier or expression: MIT."],
  "icon?": [address, "Address of a picture."],
  "homepage?": [address, "Address of its page."],
  "repository?": [address, "Address of its source."],
  "keywords?": [list(text("a keyword", 40), MAX_KEYWORDS), "By which it is found."],
  "config?": [schema, "JSON Schema of what an installation may set, of type object, with defaults."],
  "credentials?": [list(credential, MAX_ENTRIES), "Secrets that an installation is given by reference."],
  "agents?": [list(plainRecord, MAX_ENTRIES), "Agents that an installation makes."],
  "workflows?": [list(plainRecord, MAX_ENTRIES), "Workflows that an installation makes."],
  "skills?": [list(plainRecord, MAX_ENTRIES), "Skills that an installation makes."],
  "sensors?": [list(sensor, MAX_ENTRIES), "Sources of signals that are looked at by the clock."],
  "schedules?": [list(schedule, MAX_ENTRIES), "Work by the clock."],
  "handlers?": [list(handler, MAX_ENTRIES), "Which of the platform's handlers run on which signals."],
  "actions?": [list(action, MAX_ENTRIES), "What may be called by name."],
  "signals?": [signals, "Which signals go in and out."],
  "directives?": [list(directiveType, MAX_ENTRIES), "Types of directives that it may request."],
  "dependencies?": [
    { kind: "map", keys: slug, values: range, max: MAX_DEPENDENCIES },
    "Packages that it needs: ranges of versions by slug.",
  ],
  "platform?": [range, "Range of FleetPrompt's versions that it works with."],
  "checksum?": [
    text("sha256: and 64 hex digits", 71, whole("sha256:[0-9a-f]{64}")),
    "Of the manifest without this and $schema.",
  ],
})

/** Where the schema is published with the npm package. */
const SCHEMA_ID = "https://unpkg.com/fleetprompt/schemas/fleetprompt.package.schema.json"

/** The manifest's own JSON Schema, for editors. `schemas/fleetprompt.package.schema.json` holds it. */
export function manifestSchema(): JsonObject {
  const defs = new Map<string, JsonObject>()
  const root = schemaOf(manifestShape, defs)
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $id: SCHEMA_ID,
    title: "FleetPrompt package manifest",
    ...root,
    $defs: Object.fromEntries(defs),
  }
}
