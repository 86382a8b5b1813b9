import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative, sep } from "node:path"
import { expect, test } from "vitest"

/**
 * Who may import whom: the folders of src/ in the order of the flow, and what each may import besides
 * itself and errors. ARCHITECTURE.md shows the same table; a change here comes with a change there.
 */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  signal: [],
  telemetry: ["signal", "guard"],
  guard: ["signal"],
  store: ["signal", "guard", "telemetry"],
  emit: ["signal", "guard", "store", "telemetry"],
  delivery: ["signal", "guard", "store", "telemetry"],
  inspect: ["signal", "store"],
  audit: ["signal", "guard", "store", "telemetry", "inspect"],
  access: ["signal", "guard", "store", "telemetry", "audit"],
  credentials: ["signal", "guard", "store", "telemetry", "audit"],
  directives: [
    "signal",
    "guard",
    "store",
    "telemetry",
    "emit",
    "delivery",
    "inspect",
    "audit",
    "access",
    "credentials",
  ],
  packages: [
    "signal",
    "guard",
    "store",
    "telemetry",
    "emit",
    "delivery",
    "inspect",
    "audit",
    "access",
    "credentials",
    "directives",
  ],
  tenants: [
    "signal",
    "guard",
    "store",
    "emit",
    "inspect",
    "telemetry",
    "audit",
    "credentials",
    "access",
    "directives",
    "packages",
  ],
  connectors: ["signal"],
  fleet: [
    "signal",
    "guard",
    "store",
    "emit",
    "delivery",
    "inspect",
    "audit",
    "access",
    "credentials",
    "directives",
    "packages",
    "tenants",
    "connectors",
    "telemetry",
    "config",
  ],
  server: [
    "signal",
    "guard",
    "store",
    "emit",
    "inspect",
    "tenants",
    "fleet",
    "telemetry",
    "audit",
    "access",
    "credentials",
    "directives",
    "packages",
  ],
  client: [],
  demo: ["signal", "delivery"],
  cli: [
    "config",
    "connectors",
    "delivery",
    "demo",
    "fleet",
    "server",
    "tenants",
    "packages",
    "audit",
    "access",
    "credentials",
    "store",
  ],
  config: [],
  errors: [],
}

/** The public doors: each is one file directly in src/ that re-exports by name. */
const DOORS: Readonly<Record<string, readonly string[]>> = {
  fleetprompt: [
    "access",
    "audit",
    "credentials",
    "connectors",
    "delivery",
    "directives",
    "emit",
    "fleet",
    "guard",
    "inspect",
    "packages",
    "signal",
    "store",
    "telemetry",
    "tenants",
  ],
  "signal-door": ["signal"],
  "server-door": ["server", "access"],
  "client-door": ["client"],
  opentelemetry: ["telemetry"],
  prometheus: ["telemetry"],
}

const SRC = join(import.meta.dirname, "..", "src")
const files = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter(
  (name) => name.endsWith(".ts") && !name.endsWith(".test.ts"),
)
const imports = new Map(files.map((file) => [file, importsOf(file)]))

test("every folder imports only what stands before it in the flow", () => {
  const wrong = [...imports].flatMap(([file, targets]) =>
    targets.filter((target) => !mayImport(unitOf(file), unitOf(target))).map((target) => `${file} imports ${target}`),
  )
  expect(wrong).toEqual([])
})

test("no files import each other in a circle", () => {
  expect(findCycle(imports)).toBeUndefined()
})

test("the check for circles finds one", () => {
  const circle = new Map([
    ["a.ts", ["b.ts"]],
    ["b.ts", ["c.ts"]],
    ["c.ts", ["a.ts"]],
  ])
  expect(findCycle(circle)).toEqual(["a.ts", "b.ts", "c.ts", "a.ts"])
})

/** Loaded when first used, and named in the error when it is missing. */
const OPTIONAL_PEERS = new Set(["@msgpack/msgpack"])

test("the signal library needs nothing but itself", () => {
  const outside = files
    .filter((file) => unitOf(file) === "signal")
    .flatMap((file) => specifiersOf(file).filter((specifier) => !specifier.startsWith(".")))
  expect(outside.filter((specifier) => !OPTIONAL_PEERS.has(specifier))).toEqual([])
})

test("only the doors re-export", () => {
  const barrels = files.filter(
    (file) => !(unitOf(file) in DOORS) && /^export .* from "/m.test(readFileSync(join(SRC, file), "utf8")),
  )
  expect(barrels).toEqual([])
})

test("SQL stands in store alone", () => {
  const withSql = files.filter(
    (file) =>
      unitOf(file) !== "store" &&
      /\b(select|insert into|update|delete from)\b[^"'`]*\b(from|into|set|where)\b/.test(codeOf(file)),
  )
  expect(withSql).toEqual([])
})

test("only config and the command line read the environment", () => {
  const readers = files.filter(
    (file) => !["config", "cli"].includes(unitOf(file)) && codeOf(file).includes("process.env"),
  )
  expect(readers).toEqual([])
})

/** Text without comments, where words such as "select" and "from" are prose. */
function codeOf(file: string): string {
  return readFileSync(join(SRC, file), "utf8").replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*|^import .*$/gm, "")
}

/** `store/signals.ts` belongs to store, `fleet.ts` is a unit of its own, `signal.ts` is a door. */
function unitOf(file: string): string {
  const [first = "", ...rest] = file.split(sep)
  if (rest.length > 0) return first
  const name = first.replace(/\.ts$/, "")
  return `${name}-door` in DOORS ? `${name}-door` : name
}

function mayImport(from: string, to: string): boolean {
  return from === to || to === "errors" || (ALLOWED[from] ?? DOORS[from] ?? []).includes(to)
}

function importsOf(file: string): readonly string[] {
  return specifiersOf(file)
    .filter((specifier) => specifier.startsWith("."))
    .map((specifier) => relative(SRC, join(dirname(join(SRC, file)), specifier)))
}

function specifiersOf(file: string): readonly string[] {
  // Examples in docstrings import what a user imports.
  const text = readFileSync(join(SRC, file), "utf8").replaceAll(/\/\*\*[\s\S]*?\*\//g, "")
  return [
    ...text.matchAll(
      /(?:^|\s)(?:import|export)\b[^"'`;]*?\bfrom\s+"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)|^import "([^"]+)"/gm,
    ),
  ].map(([, from, dynamic, bare]) => from ?? dynamic ?? bare ?? "")
}

function findCycle(graph: ReadonlyMap<string, readonly string[]>): readonly string[] | undefined {
  const done = new Set<string>()
  const visit = (file: string, path: readonly string[]): readonly string[] | undefined => {
    const seenAt = path.indexOf(file)
    if (seenAt >= 0) return [...path.slice(seenAt), file]
    if (done.has(file)) return undefined
    for (const next of graph.get(file) ?? []) {
      const cycle = visit(next, [...path, file])
      if (cycle) return cycle
    }
    done.add(file)
    return undefined
  }
  for (const file of graph.keys()) {
    const cycle = visit(file, [])
    if (cycle) return cycle
  }
  return undefined
}
