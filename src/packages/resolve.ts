/**
 * Which versions of a package and of what it needs go together, and in which order they are installed.
 *
 * A search with turning back: the package that was asked for first, at its highest version, then what that needs, in
 * the order in which it is asked for. What is installed stays as it is where it fits, and is upgraded where it does
 * not; it is never downgraded unless the request itself says so. First without deprecated versions; only when nothing
 * fits with them. A yanked version is only ever kept, never chosen.
 */
import semver from "semver"
import type { CatalogueVersion, Requirement, Resolution, ResolvedStep, ResolveRequest } from "./resolution.ts"
import { explainFailures, type Failure } from "./resolve-explain.ts"

const MAX_TRIES = 10_000

/** What does not change during a search. */
interface Search extends Required<ResolveRequest> {
  readonly mayDeprecate: boolean
  /** Packages that the search may come to. */
  readonly reachable: ReadonlySet<string>
  readonly failures: Failure[]
  tries: number
}

/** Versions chosen so far, by slug, in the order of choosing; and who asks for what. */
interface State {
  readonly chosen: ReadonlyMap<string, CatalogueVersion>
  readonly requirements: readonly Requirement[]
}

/**
 * Finds versions that go together, or says why there are none.
 *
 * @example
 * resolve({ wanted: { slug: "github-triage", range: "^1.0.0" }, installed: [], catalogue, platform: "0.1.0" })
 */
export function resolve(request: ResolveRequest): Resolution {
  const { slug, range } = request.wanted
  const wanted = { slug, range: range === "latest" ? "*" : range }
  if (semver.validRange(wanted.range) === null)
    return { kind: "conflict", reasons: [`"${range}" is no range of versions; ask for "latest", "1.2.0" or "^1.2.0".`] }
  const base = { maxTries: MAX_TRIES, ...request, wanted, reachable: reachableFrom(slug, request), tries: 0 }
  let search: Search = { ...base, mayDeprecate: false, failures: [] }
  for (const mayDeprecate of [false, true]) {
    search = { ...base, mayDeprecate, failures: [] }
    const chosen = solve({ chosen: new Map(), requirements: [{ ...wanted, by: "you" }] }, search)
    if (chosen) return { kind: "resolved", steps: inOrder(chosen).map((each) => stepOf(each, chosen, request)) }
  }
  return { kind: "conflict", reasons: explainFailures(search, search.tries > search.maxTries) }
}

function solve(state: State, search: Search): State["chosen"] | undefined {
  const next = state.requirements.find(({ slug }) => !state.chosen.has(slug))
  if (!next) return isWhole(state, search) ? state.chosen : undefined
  const asked = state.requirements.filter(({ slug }) => slug === next.slug)
  const requirements = [...asked, ...fixedRequirements(next.slug, search)]
  const candidates = candidatesFor(next.slug, requirements, search)
  if (candidates.length === 0) search.failures.push({ kind: "no_version", slug: next.slug, requirements })
  for (const candidate of candidates) {
    if (++search.tries > search.maxTries) return undefined
    const further = choose(next.slug, candidate, state, search)
    const solution = further && solve(further, search)
    if (solution) return solution
  }
  return undefined
}

/** The state with one more version, or undefined when that needs another version of what was chosen before. */
function choose(slug: string, candidate: CatalogueVersion, state: State, search: Search): State | undefined {
  const chosen = new Map([...state.chosen, [slug, candidate]])
  const needed = requirementsOf(slug, candidate)
  for (const requirement of needed) {
    const there = chosen.get(requirement.slug)
    if (!there || fits(there.version, requirement.range)) continue
    const asked = state.requirements.filter((each) => each.slug === requirement.slug)
    search.failures.push({ kind: "no_version", slug: requirement.slug, requirements: [...asked, requirement] })
    return undefined
  }
  return { chosen, requirements: [...state.requirements, ...needed] }
}

/** Whether what is installed and was not chosen anew still has what it needs, and nothing needs itself. */
function isWhole({ chosen }: State, search: Search): boolean {
  for (const { slug, version, dependencies } of search.installed) {
    if (chosen.has(slug)) continue
    for (const requirement of requirementsOf(slug, { version, dependencies }, " (installed)")) {
      const there = chosen.get(requirement.slug)
      if (!there || fits(there.version, requirement.range)) continue
      search.failures.push({ kind: "breaks_installed", requirement, version: there.version })
      return false
    }
  }
  const circle = circleIn(chosen)
  if (circle) search.failures.push({ kind: "circle", circle })
  return !circle
}

/** In the order of trying: what is installed, except of the package that was asked for; then the highest first. */
function candidatesFor(
  slug: string,
  requirements: readonly Requirement[],
  search: Search,
): readonly CatalogueVersion[] {
  const there = installedVersion(slug, search)
  const isWanted = slug === search.wanted.slug
  const fitting = (search.catalogue.get(slug) ?? [])
    .filter((each) => each.version !== there?.version && mayChoose(each, search))
    .filter(({ version }) => isWanted || !there || semver.gt(version, there.version))
  const all = [...(there ? [there] : []), ...fitting].filter(({ version }) =>
    requirements.every(({ range }) => fits(version, range)),
  )
  return all.toSorted((a, b) => {
    if (!isWanted && (a === there || b === there)) return a === there ? -1 : 1
    // What is there already is no new use of a deprecated version.
    const old = (each: CatalogueVersion): number => Number(each !== there && each.status === "deprecated")
    return old(a) - old(b) || semver.rcompare(a.version, b.version)
  })
}

function mayChoose({ status, platform }: CatalogueVersion, search: Search): boolean {
  if (status === "yanked" || (status === "deprecated" && !search.mayDeprecate)) return false
  return platform === null || semver.satisfies(search.platform, platform, { includePrerelease: true })
}

function installedVersion(slug: string, { installed, catalogue }: ResolveRequest): CatalogueVersion | undefined {
  const there = installed.find((each) => each.slug === slug)
  if (!there) return undefined
  const known = catalogue.get(slug)?.find(({ version }) => version === there.version)
  return {
    status: known?.status ?? "published",
    platform: null,
    version: there.version,
    dependencies: there.dependencies,
  }
}

/** What packages ask for that the search never comes to: they stay as they are. */
function fixedRequirements(slug: string, { installed, reachable }: Search): readonly Requirement[] {
  return installed
    .filter((each) => !reachable.has(each.slug))
    .flatMap((each) => requirementsOf(each.slug, each, " (installed)"))
    .filter((requirement) => requirement.slug === slug)
}

function requirementsOf(
  slug: string,
  { version, dependencies }: Pick<CatalogueVersion, "version" | "dependencies">,
  note = "",
): readonly Requirement[] {
  return Object.entries(dependencies).map(([needed, range]) => ({
    slug: needed,
    range,
    by: `${slug} ${version}${note}`,
  }))
}

function reachableFrom(slug: string, { catalogue, installed }: ResolveRequest): ReadonlySet<string> {
  const reached = new Set<string>()
  const left = [slug]
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    if (reached.has(next)) continue
    reached.add(next)
    const versions = [...(catalogue.get(next) ?? []), ...installed.filter((each) => each.slug === next)]
    left.push(...versions.flatMap(({ dependencies }) => Object.keys(dependencies)))
  }
  return reached
}

/** Each after what it needs; of those that are free at once, by slug. */
function inOrder(chosen: State["chosen"]): readonly string[] {
  const ordered: string[] = []
  const visit = (slug: string): void => {
    if (ordered.includes(slug)) return
    for (const needed of Object.keys(chosen.get(slug)?.dependencies ?? {}).toSorted()) visit(needed)
    ordered.push(slug)
  }
  for (const slug of [...chosen.keys()].toSorted()) visit(slug)
  return ordered
}

function circleIn(chosen: State["chosen"]): readonly string[] | undefined {
  const done = new Set<string>()
  const visit = (slug: string, path: readonly string[]): readonly string[] | undefined => {
    if (path.includes(slug)) return [...path.slice(path.indexOf(slug)), slug]
    if (done.has(slug)) return undefined
    for (const needed of Object.keys(chosen.get(slug)?.dependencies ?? {})) {
      const circle = visit(needed, [...path, slug])
      if (circle) return circle
    }
    done.add(slug)
    return undefined
  }
  for (const start of chosen.keys()) {
    const circle = visit(start, [])
    if (circle) return circle.map((slug) => `${slug} ${chosen.get(slug)?.version}`)
  }
  return undefined
}

function stepOf(slug: string, chosen: State["chosen"], { installed }: ResolveRequest): ResolvedStep {
  // It is one of those that were chosen.
  const { version, status } = chosen.get(slug) as CatalogueVersion
  const from = installed.find((each) => each.slug === slug)?.version ?? null
  return { slug, version, from, action: actionOf(from, version), isDeprecated: status === "deprecated" }
}

function actionOf(from: string | null, version: string): ResolvedStep["action"] {
  if (from === null) return "install"
  if (from === version) return "keep"
  return semver.gt(version, from) ? "upgrade" : "downgrade"
}

function fits(version: string, range: string): boolean {
  return semver.satisfies(version, range)
}
