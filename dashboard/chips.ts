import type { DeliveryRow, DeliveryStatus } from "./api.ts"
import { element, hiddenText } from "./dom.ts"

/** Most chips of a row; the rest is told as a number. */
const MAX_CHIPS = 4
/** What needs a person stands first, so that it is never among the rest. */
const ORDER: Readonly<Record<DeliveryStatus, number>> = {
  dead: 0,
  retrying: 1,
  running: 2,
  waiting: 3,
  cancelled: 4,
  done: 5,
}

/** The chips of a signal's deliveries: what needs attention first. */
export function deliveryChips(deliveries: readonly DeliveryRow[]): readonly HTMLElement[] {
  if (deliveries.length === 0) return [element("span", { class: "none" }, "no handler")]
  const sorted = deliveries.toSorted((a, b) => ORDER[a.status] - ORDER[b.status])
  const rest = sorted.slice(MAX_CHIPS)
  const chips = sorted.slice(0, MAX_CHIPS).map(deliveryChip)
  return rest.length === 0 ? chips : [...chips, restChip(rest)]
}

/** A state as word and shape; `word` is in a state's own colour. */
export function statusChip(status: DeliveryStatus | "failed", word: string = status): HTMLElement {
  return element("span", { class: `chip ${status}` }, shape(), word)
}

/** One handler with its delivery's state. A delivery that is done needs no further word than its shape. */
function deliveryChip(delivery: DeliveryRow): HTMLElement {
  const { handler, status, error } = delivery
  const chip = element("span", { class: `chip ${status}`, title: tooltip(delivery) }, shape(), handler)
  chip.append(status === "done" ? hiddenText(" done") : element("span", { class: "word" }, ` ${stateWord(delivery)}`))
  if (error !== null && status === "dead") chip.append(hiddenText(`: ${error}`))
  return chip
}

function restChip(rest: readonly DeliveryRow[]): HTMLElement {
  const title = rest.map(({ handler, status }) => `${handler}: ${status}`).join("\n")
  const done = rest.every(({ status }) => status === "done") ? " done" : ""
  return element("span", { class: "rest", title }, `+${rest.length}${done}`)
}

function shape(): HTMLElement {
  return element("span", { class: "shape", "aria-hidden": "true" })
}

function stateWord({ status, attempts }: DeliveryRow): string {
  return status === "retrying" ? `retrying, ${attempts} failed` : status
}

function tooltip(delivery: DeliveryRow): string {
  const next = delivery.nextAttemptAt === null ? [] : [`next attempt ${delivery.nextAttemptAt}`]
  const error = delivery.error === null ? [] : [delivery.error]
  return [`${delivery.handler}: ${stateWord(delivery)}`, ...next, ...error].join("\n")
}
