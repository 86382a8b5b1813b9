import { createHash } from "node:crypto"
import { once } from "node:events"
import { createWriteStream } from "node:fs"
import { rename, rm } from "node:fs/promises"
import { finished } from "node:stream/promises"
import { createGzip } from "node:zlib"
import { type ArchiveHeader, controlLine, type TableManifest } from "./archive-format.ts"

/** What was written. */
export interface WrittenArchive {
  readonly tables: Readonly<Record<string, TableManifest>>
  readonly sha256: string
}

/**
 * Writes an archive line by line, no faster than the disk takes it. The file has its name only when it is complete; until
 * then it is called `<file>.partial`. Nobody but its owner may read it.
 */
export class ArchiveWriter {
  readonly #file: string
  readonly #gzip = createGzip()
  readonly #done: Promise<unknown>
  readonly #all = createHash("sha256")
  readonly #tables: Record<string, TableManifest> = {}

  constructor(file: string) {
    this.#file = file
    const target = createWriteStream(`${file}.partial`, { mode: 0o600 })
    this.#gzip.pipe(target)
    target.on("error", (error) => this.#gzip.destroy(error))
    this.#done = finished(target)
    // Whoever writes next is told.
    this.#done.catch(() => undefined)
  }

  /** Writes the first line. */
  async begin(header: ArchiveHeader): Promise<void> {
    await this.#line(controlLine(header))
  }

  /** Writes a table: its name and columns, its rows, and what they come to. */
  async table(
    name: string,
    columns: readonly string[],
    pages: AsyncIterable<readonly string[]>,
    onRows: (count: number) => void,
  ): Promise<void> {
    const hash = createHash("sha256")
    let rows = 0
    await this.#line(controlLine({ table: name, columns }))
    for await (const page of pages) {
      for (const chunk of chunksOf(page)) {
        hash.update(chunk)
        await this.#write(chunk)
      }
      rows += page.length
      onRows(page.length)
    }
    this.#tables[name] = { rows, sha256: hash.digest("hex") }
    await this.#line(controlLine({ end: name, ...this.#tables[name] }))
  }

  /** Writes the last line and gives the file its name. */
  async end(): Promise<WrittenArchive> {
    const manifest = { tables: this.#tables, sha256: this.#all.copy().digest("hex") }
    await this.#line(controlLine({ manifest }))
    this.#gzip.end()
    await this.#done
    await rename(`${this.#file}.partial`, this.#file)
    return manifest
  }

  /** Removes what was written. */
  async abandon(): Promise<void> {
    this.#gzip.destroy()
    await this.#done.catch(() => undefined)
    await rm(`${this.#file}.partial`, { force: true })
  }

  #line(line: string): Promise<void> {
    return this.#write(`${line}\n`)
  }

  async #write(chunk: string): Promise<void> {
    this.#all.update(chunk)
    if (this.#gzip.destroyed) await this.#done
    if (!this.#gzip.write(chunk)) await Promise.race([once(this.#gzip, "drain"), this.#done])
  }
}

/** Characters that are written at once. */
const CHUNK = 65_536

/** Lines with their line feeds, several in one text. */
function* chunksOf(lines: readonly string[]): Generator<string, undefined> {
  let chunk = ""
  for (const line of lines) {
    chunk += `${line}\n`
    if (chunk.length < CHUNK) continue
    yield chunk
    chunk = ""
  }
  if (chunk) yield chunk
  return undefined
}
