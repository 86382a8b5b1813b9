import { createServer } from "node:http"
import { Client, escapeIdentifier } from "pg"
import type { TestProject } from "vitest/node"
import { packTemplate } from "../../src/store/embedded-template.ts"
import { startPostgresCluster } from "./postgres-cluster.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** Where tests ask for databases: each POST answers with the URL of a fresh one on a real server. */
    readonly testDatabasesService: string
  }
}

interface DatabaseServer {
  readonly url: string
  readonly dispose: () => Promise<void>
}

/**
 * Makes databases for the tests, which run in other threads and may end in any way: whatever was made
 * is removed here, at the end. A run that asks for none starts no server.
 *
 * The server is the one at DATABASE_URL, else a private cluster.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await packTemplate()
  let server: Promise<DatabaseServer> | undefined
  const service = createServer((_request, response) => {
    server ??= startServer()
    createDatabase(server).then(
      (url) => response.end(url),
      (error: unknown) => response.writeHead(500).end(String(error)),
    )
  })
  await new Promise<void>((resolve) => service.listen(0, "127.0.0.1", resolve))
  project.provide("testDatabasesService", addressOf(service.address()))
  return async () => {
    service.closeAllConnections()
    await new Promise((resolve) => service.close(resolve))
    await server?.then(({ dispose }) => dispose())
  }
}

function addressOf(address: ReturnType<ReturnType<typeof createServer>["address"]>): string {
  if (address === null || typeof address === "string") throw new Error("expected a TCP port")
  return `http://127.0.0.1:${address.port}`
}

const made: string[] = []

async function startServer(): Promise<DatabaseServer> {
  const given = process.env["DATABASE_URL"]
  if (given !== undefined) return { url: given, dispose: () => dropAll(given) }
  const cluster = await startPostgresCluster()
  return { url: cluster.url, dispose: cluster.stop }
}

async function createDatabase(server: Promise<DatabaseServer>): Promise<string> {
  const { url } = await server
  const name = `test_${crypto.randomUUID().replaceAll("-", "")}`
  await run(url, `create database ${escapeIdentifier(name)}`)
  made.push(name)
  return Object.assign(new URL(url), { pathname: `/${name}` }).href
}

async function dropAll(url: string): Promise<void> {
  for (const name of made) await run(url, `drop database ${escapeIdentifier(name)} with (force)`)
}

async function run(connectionString: string, statement: string): Promise<void> {
  const client = new Client({ connectionString })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
