import type { EffectNode, SignalBrief, SignalDetail } from "./api.ts"
import { element, timeElement } from "./dom.ts"
import { signalHash } from "./place.ts"
import { localTime } from "./time.ts"

/** A node of the tree: a signal, and those it caused. */
interface TrailNode {
  readonly brief: SignalBrief
  readonly children: readonly TrailNode[]
  readonly current: boolean
}

/** A longer chain of causes is told by its first and its last ones. */
const MAX_CAUSES = 20
const LAST_CAUSES = 8

/** What led to a signal and what it led to, as one tree of links in which it stands itself. */
export function trailView(detail: SignalDetail): HTMLElement {
  const { ancestors } = detail
  const skipped = ancestors.length > MAX_CAUSES ? ancestors.length - LAST_CAUSES - 1 : 0
  const tree = (causes: readonly SignalBrief[]): HTMLElement => nodeView(trailOf(detail, causes), null)
  const trail = element("ul", { class: "trail" }, tree([...ancestors.slice(0, 1), ...ancestors.slice(1 + skipped)]))
  if (skipped > 0)
    trail.querySelector(".node")?.after(moreButton(skipped, () => trail.replaceChildren(tree(ancestors))))
  return trail
}

function trailOf({ signal, effects }: SignalDetail, causes: readonly SignalBrief[]): TrailNode {
  const { id, type, time, source } = signal
  const brief = { id, type, subject: signal.subject ?? null, time, handler: emitterOf(source) }
  const own: TrailNode = { brief, children: effects.map(effectNode), current: true }
  return causes.reduceRight<TrailNode>((child, cause) => ({ brief: cause, children: [child], current: false }), own)
}

function moreButton(count: number, show: () => void): HTMLButtonElement {
  const button = element("button", { type: "button", class: "small" }, `Show ${count} causes between`)
  button.addEventListener("click", show)
  return button
}

/** How the tree reads in one sentence. */
export function trailSummary({ ancestors, effects }: SignalDetail): string {
  const cause = ancestors.length === 0 ? "Came from outside" : `${plural(ancestors.length, "cause")} above it`
  const count = countEffects(effects)
  return `${cause}; ${count === 0 ? "caused nothing so far" : `led to ${plural(count, "effect")}`}.`
}

function effectNode(effect: EffectNode): TrailNode {
  return { brief: effect, children: effect.effects.map(effectNode), current: false }
}

/** An effect mostly has the subject of its cause; it is told only where it differs, and for the open signal above. */
function nodeView({ brief, children, current }: TrailNode, causeSubject: string | null): HTMLElement {
  const name = element("span", { class: "type" }, brief.type)
  const line = current
    ? element("span", { class: "current", "aria-current": "true" }, name, " (this signal)")
    : element("a", { href: signalHash(brief.id) }, name)
  const nested =
    children.length === 0 ? null : element("ul", {}, ...children.map((child) => nodeView(child, brief.subject)))
  return element(
    "li",
    {},
    element("div", { class: "node" }, line, ...particulars(brief, current ? brief.subject : causeSubject)),
    nested,
  )
}

function particulars({ subject, time, handler }: SignalBrief, causeSubject: string | null): readonly HTMLElement[] {
  const by = handler === null ? [] : [element("span", { class: "by" }, "by ", element("code", {}, handler))]
  const about =
    subject === null || subject === causeSubject
      ? []
      : [element("span", { class: "subject outside", title: subject }, subject)]
  return [...by, ...about, timeElement(time, localTime(time))]
}

function emitterOf(source: string): string | null {
  return source.startsWith("handler:") ? source.slice("handler:".length) : null
}

function countEffects(effects: readonly EffectNode[]): number {
  return effects.reduce((sum, effect) => sum + 1 + countEffects(effect.effects), 0)
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`
}
