import { Client } from "pg"
import { PgBoss } from "pg-boss"
import { type EventData, findsOne, type Setup, type Station } from "../station.ts"

const QUEUE = "events"

/**
 * Its means for throughput: several workers that take large batches, without a pause while these come back
 * full. For latency they are woken by NOTIFY, which makes each insert wait for the one before.
 */
const TUNED = { batchSize: 2_000, localConcurrency: 4, pollingIntervalSeconds: 0.5, burstWhenBatchFull: true }
const POOL_SIZE = 20

/**
 * One job for each handler, all of a call in one statement; so they share a queue, and the job names its
 * handler. Tenants are in the payload.
 */
export async function open({ url, handlers, form, goal, works, onHandled }: Setup): Promise<Station> {
  const tuned = form === "tuned"
  const notify = tuned && goal === "latency"
  const boss = new PgBoss({ connectionString: url, useListenNotify: notify, ...(tuned && { max: POOL_SIZE }) })
  boss.on("error", (error: unknown) => void process.stderr.write(`${String(error)}\n`))
  await boss.start()
  await boss.createQueue(QUEUE, { notify })
  const client = new Client({ connectionString: url })
  await client.connect()
  if (works) {
    await boss.work(QUEUE, tuned ? TUNED : {}, async (jobs: readonly { readonly data: Payload }[]) => {
      for (const { data } of jobs) onHandled(data.handler, data.event)
    })
  }
  const jobsOf = (event: EventData) => Array.from({ length: handlers }, (_, handler) => ({ data: { handler, event } }))
  return {
    emit: (event) => (handlers === 1 ? boss.send(QUEUE, { handler: 0, event }) : boss.insert(QUEUE, jobsOf(event))),
    emitBatch: (events) => boss.insert(QUEUE, events.flatMap(jobsOf)),
    hasOpenJobs: () => findsOne(client, "select 1 from pgboss.job where state < 'completed' limit 1"),
    close: async () => {
      await boss.stop({ graceful: false })
      await client.end()
    },
  }
}

interface Payload {
  readonly handler: number
  readonly event: EventData
}
