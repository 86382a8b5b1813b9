import type { Migration } from "./sql.ts"

/**
 * What a migration of a tenant's schema does to processes of the release before, which its first line says.
 * expand: the statements of the release before work as well as those of this one, the default.
 * breaking, `-- breaking`: those of the release before do not work any more.
 */
export type MigrationKind = "expand" | "breaking"

/** What a migration does to processes of the release before. */
export function migrationKind({ text }: Migration): MigrationKind {
  return /^-- breaking\b/.test(text) ? "breaking" : "expand"
}

/** The version that a schema has when all of the migrations ran. */
export function latestVersion(migrations: readonly Migration[]): number {
  return migrations.at(-1)?.version ?? 0
}

/**
 * How far a schema may be brought: to the latest version, or where breaking migrations are to wait, to the last one
 * before the first of them that it does not have.
 */
export function reachableVersion(migrations: readonly Migration[], from: number, withBreaking: boolean): number {
  const ahead = migrations.filter(({ version }) => version > from)
  const stop = withBreaking ? -1 : ahead.findIndex((migration) => migrationKind(migration) === "breaking")
  return (stop < 0 ? ahead : ahead.slice(0, stop)).at(-1)?.version ?? from
}

/** The last breaking migration up to a version; 0 where there is none. */
export function breakingUpTo(migrations: readonly Migration[], version: number): number {
  return migrations.findLast((each) => each.version <= version && migrationKind(each) === "breaking")?.version ?? 0
}
