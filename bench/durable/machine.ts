import { readFile } from "node:fs/promises"
import { cpus, totalmem } from "node:os"
import { SETTINGS } from "./postgres.ts"
import type { RedisServer } from "./redis.ts"

/** What the figures were measured on. */
export interface Machine {
  readonly date: string
  readonly minutes: number
  readonly lines: readonly string[]
}

const BYTES_PER_GIB = 2 ** 30
const PEERS_FOLDER = new URL("../../../", import.meta.url)

/** Describes the machine and the versions, after a run that began at that time. */
export async function describeMachine(
  startedAt: Date,
  postgresVersion: string,
  redis: RedisServer | undefined,
): Promise<Machine> {
  const [cpu] = cpus()
  const settings = Object.entries(SETTINGS).map(([name, value]) => `${name} ${value}`)
  return {
    date: startedAt.toISOString().slice(0, 10),
    minutes: Math.round((Date.now() - startedAt.getTime()) / 60_000),
    lines: [
      `${cpus().length} x ${cpu?.model ?? "unknown"}, ${Math.round(totalmem() / BYTES_PER_GIB)} GiB, ${process.platform}, Node ${process.version}`,
      `Postgres ${postgresVersion} on the same machine: ${settings.join(", ")}; the rest as it comes`,
      redis ? `Redis ${redis.version} on the same machine: it ${redis.durability}` : "no Redis",
      (await peerVersions()).join(", "),
    ],
  }
}

async function peerVersions(): Promise<readonly string[]> {
  const file = await readFile(new URL("package.json", PEERS_FOLDER), "utf8")
  const { dependencies } = JSON.parse(file) as { readonly dependencies: Readonly<Record<string, string>> }
  return Object.entries(dependencies).map(([name, version]) => `${name} ${version}`)
}
