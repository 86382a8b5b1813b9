import { access, mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"

/** Where the database's files are, inside the data directory. */
const NAME = "postgres"

/** What is not yet complete has this prefix. */
const DRAFT_PREFIX = "unfinished-"

const BLOCK_BYTES = 512

/** Whether the data directory holds a database. */
export async function hasDatabaseFiles(directory: string): Promise<boolean> {
  return access(join(directory, NAME)).then(
    () => true,
    () => false,
  )
}

/** The path of the database's files. */
export function databaseFiles(directory: string): string {
  return join(directory, NAME)
}

/**
 * Unpacks a database's files into the data directory. They come into being beside their place and are
 * moved when complete: a start that was killed leaves nothing that looks like a database, and the next
 * one cleans up.
 */
export async function unpackDatabaseFiles(archive: Uint8Array, directory: string): Promise<void> {
  await removeDrafts(directory)
  // mkdtemp makes it for this user alone; the database's own files have looser modes.
  const draft = await mkdtemp(join(directory, DRAFT_PREFIX))
  const entries = [...entriesOf(archive)]
  const folders = entries.map(({ name, isDirectory }) => join(draft, isDirectory ? name : dirname(name)))
  for (const folder of new Set(folders)) await mkdir(folder, { recursive: true })
  const files = entries.filter(({ isDirectory }) => !isDirectory)
  await Promise.all(files.map(({ name, content }) => writeFile(join(draft, name), content)))
  await rename(draft, databaseFiles(directory))
}

async function removeDrafts(directory: string): Promise<void> {
  const drafts = (await readdir(directory)).filter((name) => name.startsWith(DRAFT_PREFIX))
  await Promise.all(drafts.map((name) => rm(join(directory, name), { recursive: true, force: true })))
}

interface TarEntry {
  readonly name: string
  readonly isDirectory: boolean
  readonly content: Uint8Array
}

/** Reads a tar archive of files and folders with short names, as PGlite writes it. */
function* entriesOf(archive: Uint8Array): Generator<TarEntry> {
  let offset = 0
  // An empty block ends the archive.
  while (offset < archive.length && archive[offset] !== 0) {
    const name = textAt(archive, offset, 100)
    const bytes = Number.parseInt(textAt(archive, offset + 124, 12), 8)
    const isDirectory = textAt(archive, offset + 156, 1) === "5"
    const start = offset + BLOCK_BYTES
    yield { name, isDirectory, content: archive.subarray(start, start + bytes) }
    offset = start + Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES
  }
}

function textAt(archive: Uint8Array, start: number, length: number): string {
  const field = archive.subarray(start, start + length)
  const end = field.indexOf(0)
  return new TextDecoder().decode(end === -1 ? field : field.subarray(0, end))
}
