import { figureText, section, table } from "./report-table.ts"
import type { Figures, Result } from "./scenario.ts"
import type { SoakDetails } from "./soak/details.ts"
import type { Sample } from "./soak/samples.ts"

/** What the soak's figures mean. Others are told by their name. */
const MEANING: Readonly<Record<string, string>> = {
  signals: "signals stored, those of handlers included",
  calls: "signals that somebody asked for",
  callsNotOk: "of these, not acknowledged: refused, unknown, or their caller was killed",
  faults: "faults that happened",
  faultsMissed: "faults that could not: nobody was free for them, or the database was away",
  failedStarts: "starts of a process that failed, since the database was away",
  drainMs: "from the last fault to an empty queue, ms",
  takeoverP50Ms: "from kill -9 of a worker to the begin of the next attempt, plain handlers, p50, ms",
  takeoverP99Ms: "the same, p99, ms",
  takeoverMaxMs: "the same, longest, ms",
  takeoverCount: "attempts that were taken over so",
  duplicateInvocations: "handlers that came to their effect again",
  duplicateSharePercent: "the same as a share of all effects, %",
  invocationsWithoutEnd: "calls of handlers that were cut off",
  attemptsLost: "attempts whose worker was killed, cut off or stood still",
  deadLetters: "deliveries that were given up, as one handler does now and then",
  deadLettersUnasked: "of other handlers",
  restartDownP50Ms: "an immediate restart of Postgres until it answers, p50, ms",
  recoveryFirstAckP50Ms: "from Postgres answering to the first acknowledged emit, p50, ms",
  recoveryFirstAckP99Ms: "the same, p99, ms",
  recoveryFirstHandledP50Ms: "from Postgres answering to the first delivery booked as done, p50, ms",
  recoveryFirstHandledP99Ms: "the same, p99, ms",
  handledPerSecondWithIdle: "handled a second while a transaction stood idle",
  handledPerSecondWithout: "handled a second in the same time before",
  emitToHandlerP99MsWithIdle: "from an emit to its handler meanwhile, p99, ms",
  emitToHandlerP99MsWithout: "the same before, p99, ms",
}

/** The sections of a report on the soak; none when it did not run. */
export function soakSections(result: Result | undefined, details: SoakDetails | undefined): readonly string[] {
  if (!result) return []
  const head = `The soak ${result.held ? "held" : "did **not** hold"} ${result.invariants.join(", ")}, in ${Math.round(result.seconds / 60)} minutes with drain and check.`
  if (!details) return section("Soak", [head])
  const figures = { ...details.figures, ...result.figures }
  return [
    ...section("Soak", [head, "", ABOUT, "", ...figuresTable(figures)]),
    ...section("Soak: faults", table(["fault", "times"], faultRows(details))),
    ...section("Soak: over time", [...overTime(details), "", OVER_TIME]),
  ]
}

const ABOUT =
  "Four workers, an emitter and a burster, each behind a line of its own; ten tenants with a schema of their own, ten in the shared one; handlers of all kinds (`test/faults/handlers/soak.ts`); the product's defaults. A fault every five seconds comes from the seed. Each restarted process goes on where the one before it was."

const OVER_TIME =
  "A dash: the process was away at that moment. The first worker is never killed, the others begin anew now and then. Sizes are with indexes, in MB; dead tuples are those of the queue's table."

function figuresTable(figures: Figures): readonly string[] {
  const rows = Object.entries(figures).map(([name, value]) => [name, figureText(value), MEANING[name] ?? ""])
  return table(["figure", "value", "what it is"], rows)
}

function faultRows({ faults }: SoakDetails): readonly (readonly string[])[] {
  return Object.entries(faults)
    .toSorted(([, one], [, other]) => other - one)
    .map(([name, times]) => [name, String(times)])
}

function overTime({ samples, members }: SoakDetails): readonly string[] {
  const columns: readonly (readonly [string, (sample: Sample) => number])[] = [
    ["minute", ({ minute }) => minute],
    ["signals", ({ signals }) => signals],
    ["deliveries", ({ deliveries }) => deliveries],
    ["dead tuples", ({ deadTuples }) => deadTuples],
    ["queue MB", ({ queueMb }) => queueMb],
    ["signals MB", ({ signalsMb }) => signalsMb],
    ["attempts MB", ({ attemptsMb }) => attemptsMb],
  ]
  const rows = samples.map((sample) => [
    ...columns.map(([, read]) => figureText(read(sample))),
    ...sample.memoryMb.map((mb) => (mb === null ? "-" : String(mb))),
  ])
  return table([...columns.map(([name]) => name), ...members.map((name) => `${name} MB`)], rows)
}
