import { keyOf } from "./check-queue.ts"
import type { AttemptRow, Change, Evidence, SignalRow } from "./evidence.ts"
import { groupBy } from "./group-by.ts"
import { handlersFor } from "./handlers.ts"
import type { Violation } from "./violation.ts"

/** A delivery from when it was put into the queue until it left it. */
interface Life {
  readonly began: Change
  readonly ended: Change | undefined
}

const TERMINAL = new Set(["done", "cancelled", "dead"])

/**
 * I3 and I6: each signal has one delivery for each handler that fits, made with it; each time that a delivery was
 * in the queue it ended once; nothing is noted of it after its end; and it is a dead letter exactly when it died last.
 */
export function checkDeliveries({ signals, attempts, deadLetters, changes }: Evidence): readonly Violation[] {
  const lives = livesOf(changes)
  const byDelivery = groupBy(attempts, ({ tenant, signalId, handler }) => `${tenant} ${signalId} ${handler}`)
  const letters = groupBy(deadLetters, ({ tenant, signalId, handler }) => `${tenant} ${signalId} ${handler}`)
  const expected = signals.flatMap((signal) => handlersFor(signal.type).map((handler) => ({ signal, handler })))
  const keys = new Set(expected.map(({ signal, handler }) => `${signal.tenant} ${signal.id} ${handler}`))
  const strays = [...lives.keys(), ...byDelivery.keys(), ...letters.keys()].filter((key) => !keys.has(key))
  return [
    ...[...new Set(strays)].map((key) => found("I3", `${key} has no signal that asks for it`, key)),
    ...expected.flatMap(({ signal, handler }) => {
      const key = `${signal.tenant} ${signal.id} ${handler}`
      const own = byDelivery.get(key) ?? []
      return [
        ...checkLives(key, signal, lives.get(key) ?? []),
        ...checkEnds(key, lives.get(key) ?? [], own, (letters.get(key) ?? []).length),
      ]
    }),
  ]
}

function livesOf(changes: readonly Change[]): ReadonlyMap<string, readonly Life[]> {
  const lives = new Map<string, Life[]>()
  for (const change of changes) {
    const row = change.new ?? change.old
    if (!row) continue
    const own = lives.get(keyOf(row)) ?? []
    lives.set(keyOf(row), own)
    const last = own.at(-1)
    if (!change.old) own.push({ began: change, ended: undefined })
    else if (!change.new && last) own[own.length - 1] = { ...last, ended: change }
  }
  return lives
}

function checkLives(key: string, signal: SignalRow, lives: readonly Life[]): readonly Violation[] {
  const [first] = lives
  if (!first) return [found("I3", `${key} was never put into the queue`, signal.id)]
  const replays = lives.flatMap(({ began }) => began.new?.replay_id ?? [])
  return [
    ...(first.began.txId === signal.txId ? [] : [found("I3", `${key} was not committed with its signal`, signal.id)]),
    ...(new Set(replays).size === replays.length ? [] : [found("I3", `a replay made ${key} twice`, signal.id)]),
    ...lives.filter(({ ended }) => !ended).map(() => found("I3", `${key} is still in the queue`, signal.id)),
  ]
}

function checkEnds(
  key: string,
  lives: readonly Life[],
  attempts: readonly AttemptRow[],
  letters: number,
): readonly Violation[] {
  const ends = attempts.filter(({ outcome }) => TERMINAL.has(outcome))
  const deaths = ends.filter(({ outcome }) => outcome === "dead").length
  const redriven = lives.slice(1).filter(({ began }) => began.new?.replay_id === null).length
  const isDead = ends.at(-1)?.outcome === "dead"
  const shown = attempts.map(({ outcome, attempt, worker }) => `${outcome} ${attempt} ${worker}`).join(", ")
  const instants = new Set(lives.flatMap(({ ended }) => ended?.instant ?? []))
  const rules: readonly (readonly [string, boolean])[] = [
    [`ended ${ends.length} times, left the queue ${lives.length} times`, ends.length === lives.length],
    ["was redriven more often than it died", redriven <= deaths],
    [`has ${letters} dead letters`, letters === (isDead ? 1 : 0)],
    ["has an end that is not noted in the statement that took it out", ends.every((end) => isIn(instants, end))],
    ["has an outcome noted outside of its life", attempts.every((attempt) => isWithin(attempt, lives))],
  ]
  return rules.filter(([, holds]) => !holds).map(([what]) => found("I6", `${key} ${what}: ${shown}`, key))
}

/** A transaction notes the time at which it began, so only ends of statements on their own are told by their time. */
function isIn(instants: ReadonlySet<number>, { finishedAt, error }: AttemptRow): boolean {
  return instants.has(finishedAt) || error?.name === "Superseded"
}

/** That an attempt was lost is noted when it is noticed, which may come late. */
function isWithin({ outcome, finishedAt, error }: AttemptRow, lives: readonly Life[]): boolean {
  if (outcome === "lost" || error?.name === "Superseded") return true
  return lives.some(({ began, ended }) => began.instant <= finishedAt && finishedAt <= (ended?.instant ?? Infinity))
}

function found(invariant: string, what: string, key: string): Violation {
  return { invariant, what, ids: [key.split(" ")[1] ?? key] }
}
