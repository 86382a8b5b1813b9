import type { JsonObject } from "../../../src/signal/json.ts"
import type { Fleet } from "../../../src/fleet.ts"

/**
 * Where a process ends itself with SIGKILL. At a statement, by the name that its text begins with: `before` it is sent,
 * `sent` once it is on its way and not answered, `after` it was answered. Or at a point that a handler comes by.
 */
export type DeathRule =
  | { readonly statement: string; readonly when: "before" | "sent" | "after"; readonly nth?: number }
  | { readonly point: string; readonly nth?: number }

interface Gate {
  readonly opened: Promise<void>
  readonly open: () => void
}

/** The named points of a process: held or open, and deadly where a rule says so. */
export class Points {
  readonly #tell: (point: string, about: JsonObject) => void
  readonly #gates = new Map<string, Gate>()
  readonly #rules: { readonly rule: DeathRule; left: number }[] = []
  /** Names of the statements that began, in order; at most so many are kept. */
  readonly statements: string[] = []

  constructor(tell: (point: string, about: JsonObject) => void) {
    this.#tell = tell
  }

  hold(point: string): void {
    if (this.#gates.has(point)) return
    let open = (): void => {}
    const opened = new Promise<void>((resolve) => (open = resolve))
    this.#gates.set(point, { opened, open })
  }

  release(point: string): void {
    this.#gates.get(point)?.open()
    this.#gates.delete(point)
  }

  /** Adds a rule; its count begins now. */
  dieAt(rule: DeathRule): void {
    this.#rules.push({ rule, left: rule.nth ?? 1 })
  }

  readonly pass = async (point: string, about: JsonObject = {}): Promise<void> => {
    this.#die((rule) => "point" in rule && rule.point === point)
    this.#tell(point, about)
    await this.#gates.get(point)?.opened
  }

  /** Watches a fleet's statements. They cost a little more then. */
  watch(fleet: Fleet): void {
    fleet.telemetry.listen({
      steps: ["statement"],
      start: ({ fields }) => {
        const name = "statement" in fields ? fields.statement : ""
        if (this.statements.length < MAX_STATEMENTS) this.statements.push(name)
        this.#atStatement(name, "before")
        // By then the statement was written to its connection.
        setImmediate(() => this.#atStatement(name, "sent"))
      },
      stop: ({ fields }) => this.#atStatement("statement" in fields ? fields.statement : "", "after"),
    })
  }

  #atStatement(name: string, when: "before" | "sent" | "after"): void {
    this.#die((rule) => "statement" in rule && rule.statement === name && rule.when === when)
  }

  #die(fits: (rule: DeathRule) => boolean): void {
    for (const each of this.#rules) {
      if (!fits(each.rule) || --each.left > 0) continue
      process.kill(process.pid, "SIGKILL")
      // The signal is carried out when the system gets to it; nothing more is done here until then.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10_000)
    }
  }
}

const MAX_STATEMENTS = 10_000
