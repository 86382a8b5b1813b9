import { feedGithub, loadExamples } from "../demo/feed.ts"
import type { Fleet } from "../fleet.ts"
import type { Terminal } from "./terminal.ts"

/** What the demo feeds, and where. */
export interface FeedDemoRequest {
  readonly fleet: Fleet
  readonly url: string
  readonly secret: string
  readonly tenant: string
  /** Events a second; as fast as they are taken when undefined. */
  readonly rate: number | undefined
  readonly stop: AbortSignal
  readonly terminal: Terminal
}

/** What came of feeding. */
export type FeedReport = Awaited<ReturnType<typeof feedGithub>>

/** Posts GitHub's example payloads to the webhook route, and shows how far it is. */
export async function feedDemo({ url, secret, rate, stop, terminal }: FeedDemoRequest): Promise<FeedReport> {
  const examples = await loadExamples()
  terminal.line(`· feeding ${examples.length} real GitHub events${rate === undefined ? "" : `, ${rate} a second`}`)
  const report = await feedGithub({
    url,
    secret,
    examples,
    abort: stop,
    ...(rate === undefined ? {} : { ratePerSecond: rate }),
    onProgress: ({ sent, stored, duplicates }) =>
      terminal.progress(
        `  ${bar(sent / examples.length)} ${sent}/${examples.length} sent, ${stored} stored, ${duplicates} duplicates`,
      ),
  })
  if (!stop.aborted) terminal.line(`· fed: ${report.stored} stored, ${report.duplicates} were there already`)
  for (const { status, detail } of report.refused) terminal.line(`! one was refused with ${status}: ${detail}`)
  return report
}

const BAR_WIDTH = 24

function bar(share: number): string {
  const full = Math.round(share * BAR_WIDTH)
  return `[${"#".repeat(full)}${".".repeat(BAR_WIDTH - full)}]`
}
