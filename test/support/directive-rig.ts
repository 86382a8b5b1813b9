import { Credentials } from "../../src/credentials/credentials.ts"
import { KeyRing } from "../../src/credentials/key-ring.ts"
import type { Directive } from "../../src/directives/directive.ts"
import type { DirectivesDeps, RunnerDeps } from "../../src/directives/directives-deps.ts"
import type { TenantDirectives } from "../../src/directives/directives-door.ts"
import { openTenantDirectives } from "../../src/directives/open-directives.ts"
import { resultOf } from "../../src/delivery/outcome.ts"
import { Admission, DEFAULT_EMIT_QUEUE } from "../../src/emit/admission.ts"
import { Routes } from "../../src/emit/routes.ts"
import { Writer } from "../../src/emit/writer.ts"
import { directiveHandler } from "../../src/directives/run-directive.ts"
import { directiveParts } from "../../src/fleet/directive-parts.ts"
import { standardGuards } from "../../src/guard/guards.ts"
import type { JsonValue } from "../../src/signal/json.ts"
import type { StoredSignal } from "../../src/signal/stored-signal.ts"
import { Announcer } from "../../src/store/announcer.ts"
import type { Database } from "../../src/store/database.ts"
import { Placements } from "../../src/store/placements.ts"
import { Telemetry } from "../../src/telemetry/telemetry.ts"
import { mortalDatabase } from "./operation-rig.ts"

/** A process that does nothing but carry directives out, when the test says so. */
export interface DirectiveProcess {
  readonly directives: TenantDirectives
  /** Runs the built-in handler on a signal, as an attempt at its delivery. @returns what it wants to wait, if anything */
  readonly takeUp: (signal: StoredSignal, attempt: number, abort?: AbortSignal) => Promise<number | undefined>
}

const MAX_DATA_BYTES = 1_048_576
const OPEN_ACCESS = { admit: async () => {}, authorise: () => {} }

let made = 0

/** One for a tenant that is there. Nobody is asked whether anybody may. */
export function directiveProcess(database: Database, slug: string, directives: readonly Directive[]): DirectiveProcess {
  const worker = `directives-${++made}`
  const telemetry = new Telemetry()
  const announcer = new Announcer({ database: database.hot, origin: worker, onOwn: () => {}, onError: () => {} })
  const placements = new Placements(database)
  const deps: DirectivesDeps & RunnerDeps = {
    database,
    placements,
    announcer,
    telemetry,
    writer: new Writer({ hot: database.hot, announcer, telemetry, handOff: undefined, placements }),
    admission: new Admission(DEFAULT_EMIT_QUEUE),
    guards: standardGuards({ maxDataBytes: MAX_DATA_BYTES }),
    routes: new Routes([]),
    credentials: new Credentials({
      database,
      placements,
      ring: new KeyRing(database, undefined),
      worker,
      refreshers: [],
    }),
    directives: directiveParts({ directives }, []),
    access: OPEN_ACCESS,
    onCommit: () => () => {},
  }
  // Which type it is called by is the queue's business.
  const handler = directiveHandler("any.type", () => deps)
  return {
    directives: openTenantDirectives(slug, () => deps),
    takeUp: async (signal, attempt, abort = new AbortController().signal) => {
      // What the store holds is JSON.
      const json = signal as StoredSignal<JsonValue>
      const nothing = (): never => {
        throw new Error("the runner does without")
      }
      const context = {
        signal: json,
        signals: [json],
        tenant: slug,
        deliveryId: "test",
        attempt,
        replay: null,
        abort,
        emit: nothing,
        credentials: { get: nothing },
      }
      const result = resultOf(await handler.run(context))
      return result?.kind === "snooze" ? result.ms : undefined
    },
  }
}

/** The signal on which a directive is first taken up. */
export async function requestedSignal(directives: TenantDirectives, id: string): Promise<StoredSignal> {
  const signal = (await directives.trail(id)).find(({ type }) => type === "directive.requested")
  if (!signal) throw new Error("a directive without its signal")
  return signal
}

/**
 * Lets a process take a directive up that is cut off after so many statements, and another one end it.
 *
 * @returns the statement at which it was cut off; undefined when it ended before.
 */
export async function killedAndTakenUp(
  database: Database,
  slug: string,
  definitions: readonly Directive[],
  id: string,
  statements: number,
): Promise<string | undefined> {
  const successor = directiveProcess(database, slug, definitions)
  const signal = await requestedSignal(successor.directives, id)
  const { database: mortal, died } = mortalDatabase(database, statements)
  let diedAt: string | undefined
  void died.then((at) => (diedAt = at))
  await directiveProcess(mortal, slug, definitions)
    .takeUp(signal, 1)
    .catch(() => undefined)
  // A process that went away counts as an attempt.
  while ((await successor.takeUp(signal, 2)) !== undefined);
  return diedAt
}
