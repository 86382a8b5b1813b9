import { DBOS, DBOSClient } from "@dbos-inc/dbos-sdk"
import { Client, Pool } from "pg"
import { type EventData, findsOne, handlerNames, type Setup, type Station } from "../station.ts"

const QUEUE = "events"
const POOL_SIZE = 20

/** How often its queue is looked at, and how many workflows of it may run at once in a process. */
const TUNED = {
  throughput: { minPollingIntervalMs: 50, workerConcurrency: 1_000 },
  latency: { minPollingIntervalMs: 5, workerConcurrency: 100 },
}

const silent = { info: () => {}, debug: () => {}, warn: () => {}, error: () => {} }

/**
 * One queued workflow for each handler. Many in one call share a transaction when tuned, since there is no
 * call for many; at its defaults each is enqueued for itself. Tenants are in the arguments.
 */
export async function open({ url, handlers, form, goal, works, onHandled }: Setup): Promise<Station> {
  const tuned = form === "tuned"
  const names = handlerNames(handlers)
  const queueOptions = tuned ? TUNED[goal] : {}
  if (works) await startWorker()
  else await DBOS.migrate(url)
  const client = await DBOSClient.create({
    systemDatabaseUrl: url,
    logger: silent,
    applicationName: "bench",
    ...(tuned && { systemDatabasePoolSize: POOL_SIZE }),
  })
  if (!works) await client.registerQueue(QUEUE, queueOptions)
  const watcher = new Client({ connectionString: url })
  await watcher.connect()
  const transactions = new Pool({ connectionString: url, max: POOL_SIZE })
  const jobsOf = (event: EventData) => names.map((workflowName) => ({ workflowName, event }))
  return {
    emit: (event) => (handlers > 1 && tuned ? enqueueTogether(jobsOf(event)) : enqueueEach(jobsOf(event))),
    emitBatch: (events) => (tuned ? enqueueTogether : enqueueEach)(events.flatMap(jobsOf)),
    hasOpenJobs: () =>
      findsOne(watcher, "select 1 from dbos.workflow_status where status in ('ENQUEUED', 'PENDING') limit 1"),
    close: async () => {
      if (works) await DBOS.shutdown()
      await client.destroy()
      await transactions.end()
      await watcher.end()
    },
  }

  async function startWorker(): Promise<void> {
    DBOS.setConfig({
      name: "bench",
      systemDatabaseUrl: url,
      logger: silent,
      ...(tuned && { systemDatabasePoolSize: POOL_SIZE }),
    })
    for (const [index, name] of names.entries()) {
      DBOS.registerWorkflow(async (event: EventData) => onHandled(index, event), { name })
    }
    await DBOS.launch()
    await DBOS.registerQueue(QUEUE, queueOptions)
  }

  async function enqueueEach(jobs: readonly Job[]): Promise<void> {
    await Promise.all(jobs.map(({ workflowName, event }) => client.enqueue({ queueName: QUEUE, workflowName }, event)))
  }

  async function enqueueTogether(jobs: readonly Job[]): Promise<void> {
    const connection = await transactions.connect()
    try {
      await connection.query("begin")
      for (const { workflowName, event } of jobs) {
        await client.enqueueInTransaction(connection, { queueName: QUEUE, workflowName }, event)
      }
      await connection.query("commit")
    } finally {
      connection.release()
    }
  }
}

interface Job {
  readonly workflowName: string
  readonly event: EventData
}
