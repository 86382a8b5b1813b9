import type { Attempt, DeliveryDetail } from "./api.ts"
import { statusChip } from "./chips.ts"
import { element, timeElement } from "./dom.ts"
import { duration, localTime } from "./time.ts"

/** A signal's deliveries, each with its attempts and their errors. */
export function deliveriesView(deliveries: readonly DeliveryDetail[]): HTMLElement {
  if (deliveries.length === 0) {
    return element("p", { class: "muted" }, "No handler listens to this type, so there was nothing to deliver.")
  }
  return element("ul", { class: "deliveries" }, ...deliveries.map(deliveryView))
}

function deliveryView(delivery: DeliveryDetail): HTMLElement {
  const { handler, status, history } = delivery
  return element(
    "li",
    {},
    element("div", { class: "delivery" }, element("code", {}, handler), statusChip(status), nextAttempt(delivery)),
    history.length === 0
      ? element("p", { class: "muted" }, status === "running" ? "First attempt under way." : "Not tried yet.")
      : element("ol", { class: "attempts" }, ...history.map(attemptView)),
  )
}

function nextAttempt({ nextAttemptAt }: DeliveryDetail): HTMLElement | null {
  if (nextAttemptAt === null) return null
  return element("span", { class: "muted" }, "next attempt ", timeElement(nextAttemptAt, localTime(nextAttemptAt)))
}

/** The state whose colour and shape an outcome has. */
const LIKE = {
  done: "done",
  failed: "failed",
  lost: "failed",
  snoozed: "waiting",
  cancelled: "cancelled",
  discarded: "cancelled",
  dead: "dead",
} as const

function attemptView({ attempt, outcome, startedAt, finishedAt, worker, error }: Attempt): HTMLElement {
  return element(
    "li",
    {},
    element(
      "div",
      { class: "attempt" },
      element("span", { class: "number" }, `attempt ${attempt}`),
      statusChip(LIKE[outcome], outcome),
      timeElement(startedAt, localTime(startedAt)),
      element("span", {}, `took ${duration(startedAt, finishedAt)}`),
      element("span", { class: "worker outside", title: `worker ${worker}` }, worker),
    ),
    error === null ? null : errorView(error),
  )
}

function errorView({ name, message }: NonNullable<Attempt["error"]>): HTMLElement {
  const text = [name, message].filter((part) => part !== undefined && part !== "").join(": ")
  return element(
    "pre",
    { class: "error-text outside", tabindex: "0" },
    text === "" ? "an error without a message" : text,
  )
}
