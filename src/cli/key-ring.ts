import type { KeyStatus } from "../credentials/key-status.ts"
import { createLocalKey, formatKeys } from "../credentials/local-keys.ts"
import type { RotationReport } from "../credentials/rotation.ts"
import type { CommandContext } from "./command-context.ts"
import { formatCount, progressBar } from "./progress-bar.ts"
import { whoRuns, withFleet } from "./with-fleet.ts"

/** Options of the commands for the key ring. */
export interface KeyRingOptions {
  readonly dataDirectory: string
  /** Who does it, for the audit log. Default: who runs the command. */
  readonly by?: string
  readonly json?: boolean
}

/** Exit codes besides 0. */
const UNREADABLE = 1
const STOPPED = 130
/** Unreadable credentials that are printed. */
const MAX_PRINTED = 20

/** Prints a new key, for FLEETPROMPT_KEYS. */
export function generateKey({ output, terminal }: CommandContext): void {
  output(formatKeys([createLocalKey()]))
  terminal.line("· put it first in FLEETPROMPT_KEYS of every process, before a comma and the keys that are there")
}

/** Prints which keys there are and what each seals. */
export async function keyStatus(options: KeyRingOptions, context: CommandContext): Promise<void> {
  await withFleet(options, context, async (fleet) => {
    const status = await fleet.keys.status()
    context.output(options.json ? JSON.stringify(status) : statusText(status))
  })
}

/** Seals everything by the current key, with a progress bar. Ends between two batches when it is asked to. */
export async function rotateKeyRing(options: KeyRingOptions, context: CommandContext): Promise<void> {
  await withFleet(options, context, async (fleet) => {
    const startedAt = performance.now()
    const report = await fleet.keys.rotate({
      actor: whoRuns(options.by),
      stop: context.stop,
      onProgress: (done, total) =>
        context.terminal.progress(`sealing ${progressBar({ done, total, elapsedMs: performance.now() - startedAt })}`),
    })
    context.output(options.json ? JSON.stringify(report) : reportText(report))
    if (report.unreadable.length > 0) process.exitCode = UNREADABLE
    else if (report.isStopped) process.exitCode = STOPPED
  })
}

/** Takes a key that seals nothing any more out of the key file. */
export async function removeRingKey(keyId: string, options: KeyRingOptions, context: CommandContext): Promise<void> {
  await withFleet(options, context, async (fleet) => {
    await fleet.keys.remove(keyId, whoRuns(options.by))
    context.output(`removed ${keyId}`)
  })
}

function statusText({ keys, pending, latestRotation }: KeyStatus): string {
  const width = Math.max(...keys.map(({ id }) => id.length))
  const rows = keys.map((key) => {
    const seals = `${formatCount(key.credentials).padStart(9)} credentials${key.sealsRoot ? ", root" : ""}`
    return `  ${key.id.padEnd(width)}  ${seals}${marksOf(key)}`
  })
  const last = latestRotation
    ? `last rotation: ${latestRotation.status} at ${latestRotation.updatedAt.toISOString()}, ${formatCount(latestRotation.rewrapped)} sealed anew`
    : "no rotation yet"
  const todo =
    pending === 0
      ? "everything is sealed by the current key"
      : `${formatCount(pending)} to be sealed by the current key: run fleetprompt keys rotate`
  return [...rows, todo, last].join("\n")
}

function marksOf({ isCurrent, isInRing, isRemovable }: KeyStatus["keys"][number]): string {
  const marks = [
    isCurrent && "current",
    isInRing === false && !isRemovable && "NOT IN THE RING",
    isInRing === false && isRemovable && "gone",
    isInRing !== false && isRemovable && "may be removed",
  ].filter((mark) => mark !== false)
  return marks.length === 0 ? "" : `  (${marks.join(", ")})`
}

function reportText({ keyId, isNewKey, rewrapped, unreadable, isStopped }: RotationReport): string {
  const named = unreadable.slice(0, MAX_PRINTED).map(({ tenant, id, code }) => `  ${tenant} ${id}: ${code}`)
  return [
    `${formatCount(rewrapped)} sealed by ${isNewKey ? "the new key " : ""}${keyId}`,
    ...(unreadable.length > 0 ? [`${formatCount(unreadable.length)} that no key of the ring opens:`, ...named] : []),
    ...(isStopped ? ["stopped before the end; run it again to go on"] : []),
  ].join("\n")
}
