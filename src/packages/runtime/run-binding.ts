import type { HandlerContext } from "../../delivery/handler-definition.ts"
import { cancel, snooze } from "../../delivery/outcome.ts"
import { BoundContext } from "./bound-context.ts"
import type { LiveBinding } from "./live-binding.ts"

/** How long what was claimed just before its binding was switched off is put off; then it waits to be claimed, milliseconds. */
const LATER_MS = 1_000

/**
 * Runs a delivery of a binding, as the binding is now: one that was queued before an upgrade runs as the new version
 * has it, and one whose binding is gone is cancelled.
 *
 * @param name that the delivery carries.
 */
export function runBinding(binding: LiveBinding | undefined, name: string, context: HandlerContext): unknown {
  if (!binding) return cancel(`package ${slugOf(name)} was uninstalled, or has no handler "${name}" any more`)
  const { record, template } = binding
  // It waits for the binding to be enabled, or for a process that has the template.
  if (!record.isEnabled || !template) return snooze(LATER_MS)
  return template.run(new BoundContext(context, record, binding.params()))
}

/** A slug has no dots. */
function slugOf(name: string): string {
  return `"${name.slice(0, name.indexOf("."))}"`
}
