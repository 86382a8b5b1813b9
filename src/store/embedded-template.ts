import { spawn } from "node:child_process"
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { brotliCompress, brotliDecompress, constants } from "node:zlib"

/*
 * An empty database as a tar archive, from which every embedded database begins. Creating one takes
 * seconds and 800 MB, unpacking it a tenth of a second: so it is made once, when the package is built,
 * and packed into a megabyte. Where the package has none that fits the PGlite at hand (in a source
 * checkout, or when another version is installed), it is made on the spot, in a process of its own that
 * then gives the memory back.
 */

const PACKAGE = "@electric-sql/pglite"

/** From src/store and from dist/store alike, this is dist below the package's root. */
const PACKED_DIRECTORY = new URL("../../dist/", import.meta.url)

/**
 * Runs in the child. Small WAL files and few of them, since nothing is archived; and without the
 * databases that new ones would be copied from, since there is never a second one.
 */
const childScript = `
const { PGlite } = require(process.argv[1])
const settings = ["--wal-segsize=1", "--set", "min_wal_size=32MB", "--set", "max_wal_size=128MB"]
async function make() {
  const database = await PGlite.create({ initDbStartParams: settings })
  await database.exec("update pg_database set datistemplate = false where datistemplate")
  await database.exec("drop database template0")
  await database.exec("drop database template1")
  await database.exec("checkpoint")
  const dump = await database.dumpDataDir("none")
  require("node:fs").writeFileSync(process.argv[2], Buffer.from(await dump.arrayBuffer()))
}
make().then(() => process.exit(0), (error) => {
  console.error(error)
  process.exit(1)
})`

/** The archive an embedded database begins from. */
export async function databaseTemplate(): Promise<Uint8Array<ArrayBuffer>> {
  const packed = await readFile(await packedFile()).catch(() => undefined)
  return packed === undefined ? makeTemplate() : promisify(brotliDecompress)(packed)
}

/** Makes the packed archive where it is missing; answers its path. For the build, and before tests. */
export async function packTemplate(): Promise<string> {
  const file = await packedFile()
  const isThere = await readFile(file).then(
    () => true,
    () => false,
  )
  if (!isThere) await writeWhole(file, await pack(await makeTemplate()))
  return file
}

async function packedFile(): Promise<string> {
  const description = join(dirname(pglitePath()), "..", "package.json")
  // Every installed package says its version.
  const { version } = JSON.parse(await readFile(description, "utf8")) as { version: string }
  return fileURLToPath(new URL(`embedded-database-${version}.tar.br`, PACKED_DIRECTORY))
}

function pglitePath(): string {
  return createRequire(import.meta.url).resolve(PACKAGE)
}

async function makeTemplate(): Promise<Uint8Array<ArrayBuffer>> {
  const directory = await mkdtemp(join(tmpdir(), "fleetprompt-embedded-"))
  try {
    const archive = join(directory, "template.tar")
    await runNode(childScript, pglitePath(), archive)
    return await readFile(archive)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function runNode(script: string, ...args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, ["-e", script, ...args], { stdio: ["ignore", "ignore", "pipe"] })
  let complaint = ""
  child.stderr.setEncoding("utf8").on("data", (text: string) => (complaint += text))
  const ending = await new Promise<number | string>((resolve, reject) => {
    child.once("error", reject).once("close", (code, signal) => resolve(code ?? signal ?? "unknown"))
  })
  if (ending !== 0) throw new Error(`the embedded database could not be created (${ending}): ${complaint.trim()}`)
}

function pack(archive: Uint8Array): Promise<Buffer> {
  // Wide enough to see that large parts of the catalogue are there twice.
  const params = { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_LGWIN]: 24 }
  return promisify(brotliCompress)(archive, { params })
}

/** Two at once may write the same; a reader sees none or all of it. */
async function writeWhole(file: string, content: Uint8Array): Promise<void> {
  const draft = `${file}.${process.pid}`
  await mkdir(dirname(file), { recursive: true })
  await writeFile(draft, content)
  await rename(draft, file)
}
