import type { Schedule } from "./schedule.ts"

/** With catchUp none, a slot that is later than this is left out, milliseconds. A lost process's lease ends well before. */
export const LATE_MS = 120_000
/** With catchUp all, slots that are made up for at most. */
export const MAX_MADE_UP = 100

/** What is to be done about a slot that has come. */
export type SlotPlan =
  | {
      readonly kind: "fire"
      readonly slot: number
      /** The first slot that is given up although the rule would have it made up for. */
      readonly droppedFrom: number | undefined
    }
  /** Nothing is fired; the next slot is this one. */
  | { readonly kind: "skip"; readonly nextSlot: number }

/**
 * Which of the slots that have come is fired now. Most of the time there is one, the next slot itself; there are more
 * when none was fired for a while.
 *
 * @param nextSlot the first that was not fired; it has come
 */
export function planSlot({ slots, catchUp }: Schedule, nextSlot: number, nowMs: number): SlotPlan {
  const come = slots.upTo(nowMs, catchUp === "all" ? MAX_MADE_UP : 1)
  const slot = Math.max(nextSlot, come[0] ?? nextSlot)
  switch (catchUp) {
    case "last":
      return { kind: "fire", slot, droppedFrom: undefined }
    case "all":
      return { kind: "fire", slot, droppedFrom: slot > nextSlot ? nextSlot : undefined }
    case "none":
      return nowMs - slot <= LATE_MS
        ? { kind: "fire", slot, droppedFrom: undefined }
        : { kind: "skip", nextSlot: slots.after(nowMs) }
  }
}
