import { Redis } from "ioredis"

/** A Redis that answers, and what it keeps when it ends. */
export interface RedisServer {
  readonly version: string
  /** In words, from its configuration. */
  readonly durability: string
}

const CONNECT_MS = 2_000

/** Asks a Redis about itself. @throws when there is none. */
export async function askRedis(url: string): Promise<RedisServer> {
  const { hostname, port } = new URL(url)
  const redis = new Redis({
    host: hostname,
    port: Number(port || 6379),
    lazyConnect: true,
    connectTimeout: CONNECT_MS,
    retryStrategy: () => null,
  })
  // connect() rejects with what is told here.
  redis.on("error", () => {})
  try {
    await redis.connect()
    const settingOf = async (name: string): Promise<string> => {
      const [, value] = (await redis.call("config", "get", name)) as readonly [string, string]
      return value
    }
    const version = /redis_version:(\S+)/.exec(await redis.info("server"))?.[1] ?? "unknown"
    return { version, durability: inWords(await settingOf("save"), await settingOf("appendonly")) }
  } finally {
    redis.disconnect()
  }
}

function inWords(save: string, appendOnly: string): string {
  if (appendOnly === "yes") return "appends each write to a file (appendonly yes)"
  if (save === "") return 'keeps nothing on disk (save "", appendonly no): all jobs are lost when it ends'
  return `writes snapshots only (save "${save}", appendonly no): what came after the last one is lost when it ends`
}
