import { Logger, makeWorkerUtils, run } from "graphile-worker"
import { Client } from "pg"
import { type EventData, findsOne, handlerNames, type Setup, type Station } from "../station.ts"

/** What its documentation gives for throughput (worker.graphile.org/docs/performance), and for latency less of it. */
const TUNED = {
  throughput: {
    concurrentJobs: 24,
    maxPoolSize: 25,
    localQueue: { size: 500 },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
  },
  latency: { concurrentJobs: 10, maxPoolSize: 12 },
}

const silent = new Logger(() => () => {})

/** One job for each handler, all of a call in one statement. Tenants are in the payload. */
export async function open({ url, handlers, form, goal, works, onHandled }: Setup): Promise<Station> {
  const names = handlerNames(handlers)
  const preset = { worker: { connectionString: url, logger: silent, ...(form === "tuned" && TUNED[goal]) } }
  const utils = await makeWorkerUtils({ preset })
  await utils.migrate()
  const client = new Client({ connectionString: url })
  await client.connect()
  const runner = works && (await startWorker())
  const jobsOf = (data: EventData) => names.map((identifier) => ({ identifier, payload: data }))
  return {
    emit: (data) => (handlers === 1 ? utils.addJob("handler_0", data) : utils.addJobs(jobsOf(data))),
    emitBatch: (events) => utils.addJobs(events.flatMap(jobsOf)),
    hasOpenJobs: () => findsOne(client, "select 1 from graphile_worker._private_jobs limit 1"),
    close: async () => {
      if (runner) await runner.stop()
      await utils.release()
      await client.end()
    },
  }

  function startWorker() {
    const task = (index: number) => async (payload: unknown) => onHandled(index, payload as EventData)
    return run({
      preset,
      taskList: Object.fromEntries(names.map((name, index) => [name, task(index)])),
      noHandleSignals: true,
      parsedCronItems: [],
    })
  }
}
