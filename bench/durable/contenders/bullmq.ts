import { createPostgresBackend, Queue, Worker } from "bullmq"
import { type EventData, handlerNames, type Setup, type Station } from "../station.ts"

const QUEUE = "events"
const POOL_SIZE = 20

/** What a worker is handed. */
interface Job {
  readonly name: string
  readonly data: EventData
}

/** One job for each handler, all of a call in one transaction. Tenants are in the payload. */
export async function open({ url, handlers, form, works, onHandled }: Setup): Promise<Station> {
  const names = handlerNames(handlers)
  const { queue, startWorker } = (url.startsWith("redis:") ? onRedis : onPostgres)(url, form === "tuned")
  await queue.waitUntilReady()
  const worker = works && startWorker(async ({ name, data }) => onHandled(names.indexOf(name), data))
  if (worker) await worker.waitUntilReady()
  const jobsOf = (data: EventData) => names.map((name) => ({ name, data }))
  return {
    emit: (data) => (handlers === 1 ? queue.add("handler_0", data) : queue.addBulk(jobsOf(data))),
    emitBatch: (events) => queue.addBulk(events.flatMap(jobsOf)),
    hasOpenJobs: async () => (await queue.getJobCountByTypes("waiting", "active", "prioritized", "delayed")) > 0,
    discard: () => queue.obliterate({ force: true }),
    close: async () => {
      if (worker) await worker.close()
      await queue.close()
    },
  }
}

/** What its documentation advises for throughput: jobs at once in a worker, and none kept that is done. */
function tuning(tuned: boolean) {
  return {
    ofQueue: tuned ? { defaultJobOptions: { removeOnComplete: true } } : {},
    ofWorker: tuned ? { concurrency: 100 } : {},
  }
}

/** Redis is shared with whoever uses it, so the keys have a prefix of their own, and go at the end. */
function onRedis(url: string, tuned: boolean) {
  const { hostname, port, pathname } = new URL(url)
  const connection = { host: hostname, port: Number(port || 6379), connectTimeout: 5_000 }
  const options = { connection, prefix: pathname.slice(1) }
  const { ofQueue, ofWorker } = tuning(tuned)
  return {
    queue: new Queue(QUEUE, { ...options, ...ofQueue }),
    startWorker: (handle: (job: Job) => Promise<void>) => new Worker(QUEUE, handle, { ...options, ...ofWorker }),
  }
}

function onPostgres(url: string, tuned: boolean) {
  const connection = { connectionString: url, migrate: true, ...(tuned && { max: POOL_SIZE }) }
  const { ofQueue, ofWorker } = tuning(tuned)
  return {
    queue: new Queue(QUEUE, { connection, ...ofQueue }, createPostgresBackend),
    startWorker: (handle: (job: Job) => Promise<void>) =>
      new Worker(QUEUE, handle, { connection, ...ofWorker }, createPostgresBackend),
  }
}
