import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import type { JsonObject } from "../../../src/signal/json.ts"
import type { HandlerSetRef } from "../handlers/load.ts"
import { until } from "../wait.ts"
import { CONFIG_VARIABLE, type FleetCommands, type FleetProcessConfig, type Message } from "./messages.ts"
import type { DeathRule } from "./points.ts"

/** How a fleet's process is started. */
export interface FleetProcessOptions {
  /** A cluster or a proxy, or anything else with the URL of the product's database; without one it is embedded, see `fleet`. */
  readonly database: { readonly url?: string }
  /** Its handlers: also a process that only emits needs them, since fan-out goes by them. Default: `record`. */
  readonly handlers?: HandlerSetRef
  /** Options of the fleet besides, as JSON: `{ worker: { leaseMs: 2_000 } }`. Default: the product's own. */
  readonly fleet?: JsonObject
  /** Telemetry events to be told of, see `events`. Default: `background.failed`. */
  readonly events?: readonly string[]
  /** Points that are held from the start, such as `ledger.write:begun`. */
  readonly hold?: readonly string[]
  /** Where it ends itself with SIGKILL. */
  readonly dieAt?: readonly DeathRule[]
  /** Whether it notes the names of its statements, for `tell("statements")`. Default false. */
  readonly watchStatements?: boolean
  /** How long SIGTERM lets handlers run on, milliseconds. Default 10,000. */
  readonly graceMs?: number
  /** Variables of its environment besides the driver's own, for example LD_PRELOAD. */
  readonly env?: Readonly<Record<string, string>>
  /** Flags of Node, for example `--max-old-space-size=128`. */
  readonly nodeFlags?: readonly string[]
}

/** An event that the process told. */
export interface ToldEvent {
  readonly name: string
  readonly fields: JsonObject
  /** When it was heard, milliseconds of `performance.now()`. */
  readonly at: number
}

/** A point that a handler came by. */
export interface ReachedPoint {
  readonly point: string
  readonly about: JsonObject
  readonly at: number
}

/** How a process ended. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A fleet in a process of its own. */
export interface FleetProcess {
  readonly pid: number
  /** The fleet's name in attempts; known once it is ready. */
  readonly workerName: () => string
  /** Gives it a command and waits for the answer. @throws what the command threw, or why the process is gone */
  readonly tell: <Name extends keyof FleetCommands>(
    name: Name,
    ...order: Parameters<FleetCommands[Name]>
  ) => ReturnType<FleetCommands[Name]>
  /** What it told so far, of `events`. */
  readonly events: readonly ToldEvent[]
  /** Points that were passed so far. */
  readonly points: readonly ReachedPoint[]
  /** Resolves when a point was come by so many times. Default: once, within 20 seconds. */
  readonly reached: (point: string, times?: number, withinMs?: number) => Promise<ReachedPoint>
  /** Sends a signal: SIGKILL, SIGTERM, SIGSTOP, SIGCONT. */
  readonly kill: (signal: NodeJS.Signals) => void
  readonly isRunning: () => boolean
  readonly exited: Promise<Exit>
  /** What it wrote to stderr, the last 100,000 characters. */
  readonly stderr: () => string
  /** Stops the fleet in order, and waits for the end of the process. */
  readonly stop: (graceMs?: number) => Promise<Exit>
}

const MAX_STDERR = 100_000
const READY_MS = 60_000

/** A process, and when its fleet runs. */
export interface StartedProcess {
  readonly process: FleetProcess
  /** Rejects with its stderr when it ends before. */
  readonly ready: Promise<void>
}

/** Starts a process. It is not waited for: it may be meant to die before its fleet runs. */
export function spawnFleetProcess(options: FleetProcessOptions, ledgerUrl: string): StartedProcess {
  const child = fork(fileURLToPath(new URL("worker.js", import.meta.url)), {
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    execArgv: [...(options.nodeFlags ?? [])],
    env: { ...process.env, ...options.env, [CONFIG_VARIABLE]: JSON.stringify(configOf(options, ledgerUrl)) },
  })
  const started = new ChildFleet(child)
  return { process: started, ready: started.ready }
}

interface Waiting {
  readonly resolve: (result: unknown) => void
  readonly reject: (error: Error) => void
}

class ChildFleet implements FleetProcess {
  readonly events: ToldEvent[] = []
  readonly points: ReachedPoint[] = []
  readonly exited: Promise<Exit>
  readonly ready: Promise<void>
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, Waiting>()
  #workerName = ""
  #stderr = ""
  #lastId = 0
  #exit: Exit | undefined
  #onReady = (): void => {}

  constructor(child: ChildProcess) {
    this.#child = child
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-MAX_STDERR)
    })
    child.on("message", (message: Message) => this.#hear(message))
    this.exited = this.#untilExit()
    this.ready = this.#untilReady()
    // Not everybody waits for it.
    this.ready.catch(() => {})
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  readonly workerName = (): string => this.#workerName
  readonly isRunning = (): boolean => this.#exit === undefined
  readonly stderr = (): string => this.#stderr
  readonly kill = (signal: NodeJS.Signals): void => void this.#child.kill(signal)

  // A command is answered with what the command of that name returns.
  readonly tell = ((name: keyof FleetCommands, order?: unknown): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (this.#exit) return reject(this.#gone(this.#exit))
      const id = ++this.#lastId
      this.#waiting.set(id, { resolve, reject })
      // When it cannot be sent, the process is ending, and its end tells so.
      this.#child.send({ id, name, order }, () => {})
    })) as FleetProcess["tell"]

  readonly stop = async (graceMs?: number): Promise<Exit> => {
    // The answer may get lost when the process is quicker to end.
    this.tell("stop", graceMs === undefined ? {} : { graceMs }).catch(() => {})
    return this.exited
  }

  readonly reached = (point: string, times = 1, withinMs = 20_000): Promise<ReachedPoint> =>
    until(() => this.points.filter((each) => each.point === point)[times - 1], {
      withinMs,
      what: `process ${this.pid} comes by ${point} ${times} times`,
      everyMs: 10,
    })

  #hear(message: Message): void {
    const at = performance.now()
    switch (message.kind) {
      case "event":
        this.events.push({ name: message.name, fields: message.fields, at })
        break
      case "point":
        this.points.push({ point: message.point, about: message.about, at })
        break
      case "ready":
        this.#workerName = message.workerName
        this.#onReady()
        break
      case "answer":
        this.#settle(message)
        break
    }
  }

  #settle({ id, result, error }: Extract<Message, { kind: "answer" }>): void {
    const call = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (error === undefined) call?.resolve(result)
    else call?.reject(new Error(error))
  }

  async #untilExit(): Promise<Exit> {
    const [code, signal] = (await once(this.#child, "close")) as [number | null, NodeJS.Signals | null]
    this.#exit = { code, signal }
    for (const { reject } of this.#waiting.values()) reject(this.#gone(this.#exit))
    return this.#exit
  }

  #untilReady(): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error(`it was not ready within ${READY_MS} ms: ${this.#stderr}`)),
        READY_MS,
      )
      this.#onReady = () => {
        clearTimeout(late)
        resolve()
      }
      void this.exited.then((exit) => {
        clearTimeout(late)
        reject(this.#gone(exit))
      })
    })
  }

  #gone({ code, signal }: Exit): Error {
    return new Error(`the process ended with ${code ?? signal}: ${this.#stderr.slice(-2_000).trim()}`)
  }
}

function configOf(options: FleetProcessOptions, ledgerUrl: string): FleetProcessConfig {
  return {
    ...(options.database.url !== undefined && { databaseUrl: options.database.url }),
    ledgerUrl,
    handlers: options.handlers ?? { set: "record" },
    fleet: options.fleet ?? {},
    events: options.events ?? ["background.failed"],
    hold: options.hold ?? [],
    dieAt: options.dieAt ?? [],
    watchStatements: options.watchStatements ?? false,
    graceMs: options.graceMs ?? 10_000,
  }
}
