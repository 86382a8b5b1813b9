import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { createFleet, keyFile } from "../src/fleetprompt.ts"
import { openServerDatabase } from "../src/store/server-database.ts"
import { serverDatabaseUrl } from "./support/test-database.ts"

const MAIN = join(import.meta.dirname, "..", "dist", "cli", "main.js")
const ada = { kind: "user", id: "ada" } as const
const CREDENTIALS = 300

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

interface Command {
  readonly ended: Promise<Ended>
  readonly kill: () => void
}

/** Runs the built command. It is killed with the test when it still runs. */
function keys(env: Readonly<Record<string, string>>, ...args: readonly string[]): Command {
  const { DATABASE_URL: _, ...rest } = process.env
  const child = spawn(process.execPath, [MAIN, "keys", ...args], { env: { ...rest, ...env } })
  const ended = once(child, "close")
  onTestFinished(async () => {
    child.kill("SIGKILL")
    await ended
  })
  let [stdout, stderr] = ["", ""]
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text))
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text))
  return {
    ended: ended.then(([code]: readonly (number | null)[]) => ({ code: code ?? null, stdout, stderr })),
    kill: () => void child.kill("SIGKILL"),
  }
}

/** A server with credentials of a tenant, sealed by a key file. */
async function rig() {
  const folder = await mkdtemp(join(tmpdir(), "fleetprompt-keys-"))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, "keys")
  const databaseUrl = await serverDatabaseUrl()
  const fleet = createFleet({ databaseUrl, worker: false, keys: keyFile(path, { create: "when-missing" }) })
  await fleet.start()
  onTestFinished(() => fleet.stop())
  await fleet.tenants.provision("acme")
  const { credentials } = fleet.tenant("acme")
  const create = (account: string) =>
    credentials.create({ provider: "p", account, kind: "custom", secret: { token: `secret ${account}` } }, ada)
  const accounts = Array.from({ length: CREDENTIALS }, (_, at) => `${at}`)
  const made = await Promise.all(accounts.map(create))
  const secrets = async (): Promise<readonly string[]> => {
    const fresh = createFleet({ databaseUrl, worker: false, keys: keyFile(path) })
    await fresh.start()
    const used = await Promise.all(made.map(({ id }) => fresh.tenant("acme").credentials.use(id, ada)))
    await fresh.stop()
    return used.map((credential) => credential.reveal("token"))
  }
  return { env: { DATABASE_URL: databaseUrl, FLEETPROMPT_KEYS_FILE: path }, path, secrets, databaseUrl }
}

/** Holds a rotation at a credential in the middle of it until it is killed there. Returns how many were sealed anew. */
async function killHalfWay(rotation: Command, databaseUrl: string, old: string): Promise<number> {
  const database = await openServerDatabase({ connectionString: databaseUrl })
  onTestFinished(() => database.close())
  const countNew = `select count(*)::integer as count from org_acme.credentials where key_id <> $1`
  return database.owner.transaction(async (tx) => {
    const middle = `select id from org_acme.credentials order by id offset ${CREDENTIALS / 2} limit 1`
    await tx.query(`select id from org_acme.credentials where id = (${middle}) for update`)
    const early = rotation.ended.then(({ stderr }) => `it ended: ${stderr}`)
    for (;;) {
      const count = await Promise.race([early, tx.query<{ readonly count: number }>(countNew, [old])])
      if (typeof count === "string") throw new Error(count)
      const [{ count: done } = { count: 0 }] = count
      if (done > 0) {
        rotation.kill()
        expect(await rotation.ended).toMatchObject({ code: null })
        return done
      }
    }
  })
}

/** Five processes one after the other, on a machine that may be busy. */
const PATIENCE_MS = 240_000

test(
  "a rotation that is killed half-way is taken up by running it again, and the old key then goes",
  { timeout: PATIENCE_MS },
  async () => {
    const { env, path, secrets, databaseUrl } = await rig()
    const before = await secrets()
    const old = (await readFile(path, "utf8")).split("\n")[1]?.split(":")[0] ?? ""
    const done = await killHalfWay(keys(env, "rotate"), databaseUrl, old)
    expect(done).toBeLessThan(CREDENTIALS)
    expect(await secrets()).toEqual(before)
    const again = await keys(env, "rotate", "--json").ended
    expect(again).toMatchObject({ code: 0 })
    const rest = { rewrapped: CREDENTIALS - done, isNewKey: false, unreadable: [], isStopped: false }
    expect(JSON.parse(again.stdout)).toMatchObject(rest)
    const status = JSON.parse((await keys(env, "status", "--json").ended).stdout) as {
      pending: number
      keys: { id: string }[]
    }
    expect(status).toMatchObject({ pending: 0, latestRotation: { status: "completed" } })
    expect(status.keys.find(({ id }) => id === old)).toMatchObject({ credentials: 0, isRemovable: true })
    expect((await keys(env, "status").ended).stdout).toContain(old)
    expect(await keys(env, "remove", old).ended).toMatchObject({ code: 0 })
    expect(await readFile(path, "utf8")).not.toContain(old)
    expect(await secrets()).toEqual(before)
  },
)

test(
  "keys generate prints a ring that can be used, and a wrong one is refused without being printed",
  { timeout: PATIENCE_MS },
  async () => {
    const { code, stdout } = await keys({}, "generate").ended
    expect(code).toBe(0)
    const ring = stdout.trim()
    expect(ring).toMatch(/^k\d{8}-[0-9a-f]{6}:[A-Za-z0-9+/]{43}=$/)
    const databaseUrl = await serverDatabaseUrl()
    const used = await keys({ DATABASE_URL: databaseUrl, FLEETPROMPT_KEYS: ring }, "rotate").ended
    expect(used).toMatchObject({ code: 0 })
    expect(used.stdout).toContain(`0 sealed by ${ring.split(":")[0]}`)
    const wrong = await keys({ DATABASE_URL: databaseUrl, FLEETPROMPT_KEYS: ring.slice(0, -5) }, "status").ended
    expect(wrong).toMatchObject({ code: 1 })
    expect(wrong.stderr).toContain("config_invalid")
    expect(wrong.stdout + wrong.stderr).not.toContain(ring.slice(20, 40))
    const none = await keys({ DATABASE_URL: databaseUrl }, "status").ended
    expect(none.stderr).toContain("FLEETPROMPT_KEYS")
  },
)
