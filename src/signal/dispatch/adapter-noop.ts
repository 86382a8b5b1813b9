import type { DispatchAdapter } from "./dispatch-adapter.ts"

/**
 * Takes every signal and does nothing. It takes any options too, so that a dispatch is switched off by
 * changing its `to` alone.
 *
 * @example
 * const dispatcher = createDispatcher({ adapters: [noopAdapter()] })
 * await dispatcher.dispatch(signal, { to: "noop", url: "https://not.yet.example/" })
 */
export function noopAdapter(): DispatchAdapter<undefined> {
  return { name: "noop", validate: () => undefined, deliver: () => {} }
}
