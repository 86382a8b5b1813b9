import { execFile } from "node:child_process"
import { copyFile, mkdtemp, readdir, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { promisify } from "node:util"

const ROOT = fileURLToPath(new URL("../../", import.meta.url))

/** The page as it is now, built into a directory of its own. */
export interface BuiltPage {
  readonly directory: URL
  readonly remove: () => Promise<void>
}

/** Builds the page. */
export async function buildPage(): Promise<BuiltPage> {
  const directory = await mkdtemp(join(tmpdir(), "fleetprompt-page-"))
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc")
  await promisify(execFile)(process.execPath, [tsc, "-p", join(ROOT, "dashboard"), "--outDir", directory])
  const files = (await readdir(join(ROOT, "dashboard"))).filter((name) => /\.(html|css|svg)$/.test(name))
  await Promise.all(files.map((name) => copyFile(join(ROOT, "dashboard", name), join(directory, name))))
  return {
    directory: pathToFileURL(`${directory}/`),
    remove: () => rm(directory, { recursive: true, force: true }),
  }
}
