import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freePort, giveToServerUser, serverUser } from "./server-user.ts"

/** A PgBouncer of our own, which ends with this process. */
export interface PgBouncer {
  /** The URL it was started for, led through it. */
  readonly url: string
  readonly stop: () => Promise<void>
}

const PROGRAM = "/usr/sbin/pgbouncer"
const READY = "process up"

/**
 * Whether PgBouncer is installed. Tests skip without it.
 *
 * @throws Error when REQUIRE_TOOLS is set and it is missing
 */
export function hasPgBouncer(): boolean {
  if (existsSync(PROGRAM)) return true
  if (process.env["REQUIRE_TOOLS"] !== undefined) throw new Error(`expected ${PROGRAM}; install pgbouncer`)
  return false
}

/**
 * Starts a PgBouncer in transaction mode on a free port of 127.0.0.1, in front of the server of a URL. All
 * else is as PgBouncer has it by default, so that it refuses what its users would be refused.
 *
 * @param poolSize connections to the server. Default: 4.
 */
export async function startPgBouncer(serverUrl: string, poolSize = 4): Promise<PgBouncer> {
  const directory = await mkdtemp(join(tmpdir(), "fleetprompt-pgbouncer-"))
  const port = await freePort()
  const ini = await writeFiles(directory, new URL(serverUrl), port, poolSize)
  const child = spawn("sh", ["-c", WITH_US, "sh", PROGRAM, ini], { ...serverUser, stdio: ["pipe", "ignore", "pipe"] })
  const ended = new Promise((resolve) => child.once("exit", resolve))
  child.stdin.on("error", () => {})
  const stop = async (): Promise<void> => {
    child.stdin.end()
    await ended
    await rm(directory, { recursive: true, force: true })
  }
  await new Promise<void>((resolve, reject) => {
    let log = ""
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      log = `${log}${text}`.slice(-10_000)
      if (log.includes(READY)) resolve()
    })
    child.once("error", reject)
    child.once("exit", () => reject(new Error(`PgBouncer did not start: ${log.trim()}`)))
  })
  return { url: Object.assign(new URL(serverUrl), { port: String(port) }).href, stop }
}

/** However this process ends, its end of the pipe goes, and the shell ends PgBouncer. */
const WITH_US = `exec 3<&0
"$@" 3<&- & bouncer=$!
{ read -r _ <&3; kill -TERM "$bouncer"; } & reader=$!
wait "$bouncer"
kill "$reader"`

async function writeFiles(directory: string, server: URL, port: number, poolSize: number): Promise<string> {
  const users = join(directory, "users.txt")
  const ini = join(directory, "pgbouncer.ini")
  await writeFile(users, `"${server.username}" "${decodeURIComponent(server.password)}"\n`, { mode: 0o600 })
  await writeFile(
    ini,
    `[databases]
* = host=127.0.0.1 port=${server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${users}
pool_mode = transaction
default_pool_size = ${poolSize}
`,
  )
  for (const path of [directory, users, ini]) await giveToServerUser(path)
  return ini
}
