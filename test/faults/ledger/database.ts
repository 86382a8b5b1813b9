import { Client, escapeIdentifier } from "pg"
import { LEDGER_TABLES } from "./tables.ts"

/**
 * Makes an empty ledger in a database of its own.
 *
 * @param serverUrl of the superuser of the server that no fault touches
 * @returns its URL
 */
export async function createLedgerDatabase(serverUrl: string, scenario: string): Promise<string> {
  const name = `ledger_${scenario.toLowerCase()}_${process.pid}`
  await run(serverUrl, `create database ${escapeIdentifier(name)}`)
  const { href } = Object.assign(new URL(serverUrl), { pathname: `/${name}` })
  await run(href, LEDGER_TABLES)
  return href
}

async function run(connectionString: string, text: string): Promise<void> {
  const client = new Client({ connectionString })
  await client.connect()
  try {
    await client.query(text)
  } finally {
    await client.end()
  }
}
