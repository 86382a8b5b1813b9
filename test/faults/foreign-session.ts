import { Client } from "pg"
import type { Stage } from "./stage.ts"

/** A connection of somebody else's to the product's database, which may hold locks and snapshots as long as it likes. */
export interface ForeignSession {
  /** The process that serves it. */
  readonly pid: number
  /** Runs a statement; without values it may be several. */
  readonly query: <Row extends object>(text: string, values?: readonly unknown[]) => Promise<readonly Row[]>
  /** Ends it, whatever it waits for. */
  readonly end: () => Promise<void>
}

/** Opens one as the superuser. It ends with the scenario at the latest. */
export async function openForeignSession(
  stage: Pick<Stage, "cleanup">,
  { url }: { readonly url: string },
): Promise<ForeignSession> {
  const client = new Client({ connectionString: url, application_name: "faults-foreign" })
  // Between two answers; the next statement tells of it.
  client.on("error", () => {})
  await client.connect()
  stage.cleanup("a foreign session", () => client.end())
  const query: ForeignSession["query"] = async <Row extends object>(text: string, values?: readonly unknown[]) => {
    const { rows } = await client.query<Row>(text, values && [...values])
    return rows
  }
  const [row] = await query<{ pid: number }>("select pg_backend_pid() as pid")
  return { pid: row?.pid ?? 0, query, end: () => client.end() }
}
