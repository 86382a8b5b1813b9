import type { Evidence, SignalRow } from "./evidence.ts"
import { groupBy } from "./group-by.ts"
import type { Ledger } from "./ledger.ts"
import type { Violation } from "./violation.ts"

/** Signals that `parent` emits in each run. */
const CHILDREN = 3

/** I4: what a handler emits is there once however often it ran, under its cause, and is there when it was done. */
export function checkEffects({ signals, effects, attempts }: Evidence, ledger: Ledger): readonly Violation[] {
  const byId = new Map(signals.map((signal) => [signal.id, signal]))
  const children = signals.filter(({ source }) => source === "handler:parent")
  const byPlace = groupBy(children, ({ data }) => `${String(data["parent"])} ${String(data["child"])}`)
  const links = new Set(effects.map(({ causeId, effectId }) => `${causeId} ${effectId}`))
  return [
    ...[...byPlace]
      .filter(([, rows]) => rows.length > 1)
      .map(([place]) => found(`the effect ${place} is there twice`, place)),
    ...children.flatMap((child) => checkChild(child, byId, links)),
    ...ledger.children.flatMap(({ id, causeId, type }) =>
      id === undefined || byId.get(id)?.causationId === causeId
        ? []
        : [found(`a handler was told of ${type}, which is not there as an effect of ${causeId}`, causeId)],
    ),
    ...attempts.flatMap(({ handler, outcome, signalId }) => {
      if (handler !== "parent" || outcome !== "done") return []
      const count = Array.from({ length: CHILDREN }, (_, at) => byPlace.has(`${signalId} ${at + 1}`)).filter(
        Boolean,
      ).length
      return count === CHILDREN ? [] : [found(`parent is done on ${signalId} and ${count} effects are there`, signalId)]
    }),
  ]
}

function checkChild(
  child: SignalRow,
  byId: ReadonlyMap<string, SignalRow>,
  links: ReadonlySet<string>,
): readonly Violation[] {
  const cause = byId.get(String(child.data["parent"]))
  const isRight =
    cause !== undefined &&
    cause.tenant === child.tenant &&
    child.data["owner"] === child.tenant &&
    child.causationId === cause.id &&
    links.has(`${cause.id} ${child.id}`)
  return isRight ? [] : [found(`the effect ${child.id} does not stand under its cause`, child.id)]
}

function found(what: string, ...ids: readonly string[]): Violation {
  return { invariant: "I4", what, ids }
}
