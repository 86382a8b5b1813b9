import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { createInterface } from "node:readline"
import { createGunzip } from "node:zlib"
import { FleetPromptError } from "../errors.ts"

/** The version of the format that this release writes. It reads this one alone. */
export const ARCHIVE_VERSION = 1
export const ARCHIVE_FORMAT = "fleetprompt-tenant"

/** The first line: whose archive it is. */
export interface ArchiveHeader {
  readonly format: typeof ARCHIVE_FORMAT
  readonly version: number
  readonly tenant: string
  /** The release that wrote it, and the version of the tenant's schema. */
  readonly release: string
  readonly schemaVersion: number
  /** RFC 3339, by the database's clock. */
  readonly exportedAt: string
}

/** What an archive has of one table. */
export interface TableManifest {
  readonly rows: number
  /** SHA-256 over the table's lines, each with its line feed, in hex. */
  readonly sha256: string
}

/** The last line: what must be there. */
export interface ArchiveManifest {
  readonly tables: Readonly<Record<string, TableManifest>>
  /** SHA-256 over all lines before this one, each with its line feed, in hex. */
  readonly sha256: string
}

/** Something that an archive says, line by line. */
export type ArchivePart =
  | { readonly kind: "header"; readonly header: ArchiveHeader }
  | { readonly kind: "table"; readonly table: string; readonly columns: readonly string[] }
  | { readonly kind: "row"; readonly table: string; readonly line: string }
  | { readonly kind: "manifest"; readonly manifest: ArchiveManifest }

/** Longest line that is read, UTF-16 units: far more than the largest signal. */
const MAX_LINE = 256 * 1024 * 1024
const NAME = /^[a-z_]{1,63}$/

/**
 * Reads an archive and checks each table's count and checksum, and that of the whole. It holds one line at a time. Who
 * reads to the end without an error has read what was written.
 *
 * @throws FleetPromptError `archive_invalid`
 */
export async function* readArchive(file: string): AsyncGenerator<ArchivePart, undefined> {
  const all = createHash("sha256")
  const tables: Record<string, TableManifest> = {}
  let open: { readonly table: string; rows: number; readonly hash: ReturnType<typeof createHash> } | undefined
  let isFirst = true
  let isOver = false
  for await (const line of linesOf(file)) {
    if (isOver) throw damaged("nothing behind the manifest", "more lines")
    if (open && line.startsWith("{")) {
      open.rows += 1
      open.hash.update(line).update("\n")
      all.update(line).update("\n")
      yield { kind: "row", table: open.table, line }
      continue
    }
    const value = parseControl(line)
    if (isFirst) {
      yield { kind: "header", header: headerOf(value) }
      isFirst = false
    } else if ("end" in value) {
      if (!open || value["end"] !== open.table) throw damaged("the end of the table that is open", "another")
      const found = { rows: open.rows, sha256: open.hash.digest("hex") }
      tables[open.table] = found
      if (value["rows"] !== found.rows || value["sha256"] !== found.sha256)
        throw damaged(
          `${String(value["rows"])} rows of ${open.table} with the checksum that was written`,
          `${found.rows} with another`,
        )
      open = undefined
    } else if ("manifest" in value) {
      const manifest = manifestOf(value)
      if (open || manifest.sha256 !== all.copy().digest("hex") || !sameTables(manifest.tables, tables))
        throw damaged("the checksum of all lines that was written", "another")
      isOver = true
      yield { kind: "manifest", manifest }
    } else {
      const { table, columns } = tableOf(value)
      if (open || table in tables)
        throw damaged("each table once, one after the other", `${table} within or after itself`)
      open = { table, rows: 0, hash: createHash("sha256") }
      yield { kind: "table", table, columns }
    }
    all.update(line).update("\n")
  }
  if (!isOver) throw damaged("a manifest as the last line", "an archive that ends before")
  return undefined
}

async function* linesOf(file: string): AsyncGenerator<string, undefined> {
  const source = createReadStream(file)
  const unzipped = createGunzip()
  source.on("error", (error) => unzipped.destroy(error))
  source.pipe(unzipped)
  const lines = createInterface({ input: unzipped, crlfDelay: Number.POSITIVE_INFINITY })
  const failed = new Promise<never>((_, reject) => unzipped.once("error", reject))
  failed.catch(() => undefined)
  const iterator = lines[Symbol.asyncIterator]()
  try {
    while (true) {
      const { done, value } = await Promise.race([iterator.next(), failed])
      if (done) break
      if (value.length > MAX_LINE) throw damaged(`lines of at most ${MAX_LINE} characters`, `one of ${value.length}`)
      yield value
    }
    // A file that is cut ends the lines before it tells of the error.
    if (!unzipped.readableEnded) await failed
  } catch (cause) {
    if (cause instanceof FleetPromptError) throw cause
    throw damaged("a gzip file of an archive", "one that cannot be read", cause)
  } finally {
    lines.close()
    source.destroy()
    unzipped.destroy()
  }
  return undefined
}

type Control = Readonly<Record<string, unknown>>

/** Lines that are no rows are JSON arrays with one object, so that no row is taken for one. */
function parseControl(line: string): Control {
  try {
    const value: unknown = JSON.parse(line)
    const inner: unknown = Array.isArray(value) && value.length === 1 ? value[0] : undefined
    // It is an object, and nothing more is believed of it.
    if (typeof inner === "object" && inner !== null) return inner as Control
  } catch {
    // Told below.
  }
  throw damaged("a line of an archive", "one that is none")
}

/** A line that is no row. */
export function controlLine(value: object): string {
  return JSON.stringify([value])
}

function headerOf(value: Control): ArchiveHeader {
  const { format, version, tenant, release, schemaVersion, exportedAt } = value
  if (format !== ARCHIVE_FORMAT) throw damaged("an archive of a tenant", "something else")
  if (version !== ARCHIVE_VERSION)
    throw damaged(
      `version ${ARCHIVE_VERSION} of the format`,
      `version ${String(version)}; use the release that reads it`,
    )
  if (typeof tenant !== "string" || typeof release !== "string" || typeof exportedAt !== "string")
    throw damaged("a header with tenant, release and exportedAt", "one without")
  if (typeof schemaVersion !== "number") throw damaged("a header with schemaVersion", "one without")
  return { format, version, tenant, release, schemaVersion, exportedAt }
}

function tableOf({ table, columns }: Control): { readonly table: string; readonly columns: readonly string[] } {
  if (typeof table !== "string" || !NAME.test(table) || !Array.isArray(columns)) throw damaged("a table's name", "none")
  const names: readonly unknown[] = columns
  if (!names.every((name): name is string => typeof name === "string" && NAME.test(name)))
    throw damaged("names of columns", "something else")
  return { table, columns: names }
}

function manifestOf(value: Control): ArchiveManifest {
  const { manifest } = value
  if (typeof manifest !== "object" || manifest === null || !("tables" in manifest) || !("sha256" in manifest))
    throw damaged("a manifest with tables and sha256", "one without")
  // Compared with what was read, value by value.
  return manifest as ArchiveManifest
}

function sameTables(one: unknown, other: Readonly<Record<string, TableManifest>>): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

function damaged(expected: string, came: string, cause?: unknown): FleetPromptError {
  return new FleetPromptError("archive_invalid", `expected ${expected}, got ${came}; nothing was imported`, { cause })
}
