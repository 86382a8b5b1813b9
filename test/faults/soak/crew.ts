import { setTimeout as wait } from "node:timers/promises"
import type { FaultPostgres } from "../fault-postgres.ts"
import type { FleetProcess } from "../processes/fleet-process.ts"
import type { FaultProxy, Stage } from "../stage.ts"
import { until } from "../wait.ts"
import { forgetClocks } from "../wrong-clock.ts"
import { BURSTS, FOLLOWED, OF_A_WORKER, SOAK_HANDLERS, STEADY, WORKERS } from "./plan.ts"

/** worker: runs handlers and emits a little; emitter: emits most and follows tenants; burster: emits now and then. */
export type MemberKind = "worker" | "emitter" | "burster"

/** A process of the soak, which is started again when it ends. */
export interface Member {
  readonly name: string
  readonly kind: MemberKind
  /** Its own line to the database. */
  readonly proxy: FaultProxy
  /** Whether it is never killed. */
  readonly isVeteran: boolean
}

/** A process that was killed, by the fleet's name and the ledger's clock. */
export interface Kill {
  readonly worker: string
  readonly at: Date
}

/** How long a try to start one again waits after one that failed, milliseconds. */
const START_AGAIN_MS = 1_000
/** How long a process may take to stop in order, and then to be up again with the others, milliseconds. */
const STOP_MS = 60_000
const ALL_UP_MS = 120_000

/** The processes of the soak: starts them, ends them, notices when one ends by itself. */
export class Crew {
  readonly kills: Kill[] = []
  /** Ends that nobody asked for, as sentences. */
  readonly unasked: string[] = []
  /** Starts that did not get far enough, since the database was away. */
  failedStarts = 0
  readonly #stage: Stage
  readonly #running = new Map<Member, FleetProcess>()
  /** What some fault has in its hands. */
  readonly #taken = new Set<Member>()
  #members: readonly Member[] = []
  #isResting = false

  constructor(stage: Stage) {
    this.#stage = stage
    forgetClocks(stage)
  }

  /** Makes and starts all. */
  async open(database: FaultPostgres): Promise<void> {
    const names = Array.from({ length: WORKERS }, (_, n) => `worker ${n + 1}`)
    const member = async (name: string, kind: MemberKind, isVeteran = false): Promise<Member> => {
      return { name, kind, proxy: await this.#stage.proxy(database), isVeteran }
    }
    this.#members = [
      ...(await Promise.all(names.map((name, n) => member(name, "worker", n === 0)))),
      await member("emitter", "emitter"),
      await member("burster", "burster"),
    ]
    await Promise.all(this.#members.map((each) => this.start(each)))
  }

  /** Those of a kind, or all. */
  members(kind?: MemberKind): readonly Member[] {
    return this.#members.filter((member) => kind === undefined || member.kind === kind)
  }

  /** Those that run and that no fault has in its hands. */
  free(kind?: MemberKind): readonly Member[] {
    return this.members(kind).filter((member) => this.#running.has(member) && !this.#taken.has(member))
  }

  processOf(member: Member): FleetProcess | undefined {
    return this.#running.get(member)
  }

  /** Keeps a member for one fault as long as it works on it. */
  async take(member: Member, work: (process: FleetProcess) => Promise<void>): Promise<void> {
    const process = this.#running.get(member)
    if (!process || this.#taken.has(member)) throw new Error(`${member.name} is not free`)
    this.#taken.add(member)
    try {
      await work(process)
    } finally {
      this.#taken.delete(member)
    }
  }

  /** SIGKILL, noted. */
  async kill(member: Member): Promise<void> {
    const process = this.#leave(member)
    if (member.kind === "worker") this.kills.push({ worker: process.workerName(), at: new Date() })
    process.kill("SIGKILL")
    await process.exited
  }

  /** SIGTERM, and SIGKILL when that takes too long. */
  async terminate(member: Member): Promise<void> {
    const process = this.#leave(member)
    process.kill("SIGTERM")
    const late = new AbortController()
    const tooLong = wait(STOP_MS, "late", { signal: late.signal }).catch(() => "ended")
    if ((await Promise.race([process.exited, tooLong])) === "late") {
      this.unasked.push(`${member.name} did not stop within ${STOP_MS} ms of SIGTERM`)
      process.kill("SIGKILL")
    }
    late.abort()
    const { code, signal } = await process.exited
    if (code !== 0) this.unasked.push(`${member.name} ended with ${code ?? signal} after SIGTERM: ${lastOf(process)}`)
  }

  #leave(member: Member): FleetProcess {
    const process = this.#running.get(member)
    if (!process) throw new Error(`${member.name} does not run`)
    this.#running.delete(member)
    return process
  }

  /** Starts a member, again and again until it runs: the database may be away. */
  async start(member: Member, env: Readonly<Record<string, string>> = {}): Promise<void> {
    for (;;) {
      const { process, ready } = await this.#stage.spawn({
        database: member.proxy,
        handlers: SOAK_HANDLERS,
        fleet: { retention: false, ...(member.kind !== "worker" && { worker: false }) },
        env,
      })
      try {
        await ready
        await this.#begin(member, process)
        this.#running.set(member, process)
        void process.exited.then(() => this.#ended(member, process))
        return
      } catch {
        this.failedStarts += 1
        process.kill("SIGKILL")
        await wait(START_AGAIN_MS)
      }
    }
  }

  async #begin({ kind }: Member, process: FleetProcess): Promise<void> {
    if (kind === "emitter") for (const request of FOLLOWED) await process.tell("startTail", request)
    if (this.#isResting) return
    await process.tell("startLoad", { worker: OF_A_WORKER, emitter: STEADY, burster: BURSTS }[kind])
    if (kind === "burster") await process.tell("pauseLoad")
  }

  async #ended(member: Member, process: FleetProcess): Promise<void> {
    if (this.#running.get(member) !== process) return
    this.#running.delete(member)
    const { code, signal } = await process.exited
    this.unasked.push(`${member.name} ended by itself with ${code ?? signal}: ${lastOf(process)}`)
    await this.start(member)
  }

  /** Lets the burster make up for what it has not emitted, for a while at most. */
  async burst(forMs: number): Promise<void> {
    for (const process of this.members("burster").flatMap((member) => this.#running.get(member) ?? [])) {
      await process.tell("resumeLoad")
      await wait(forMs)
      await process.tell("pauseLoad")
    }
  }

  /** Ends all loads, once everybody is up. Handlers and subscribers go on. */
  async rest(): Promise<void> {
    this.#isResting = true
    await until(() => this.#running.size === this.#members.length, { withinMs: ALL_UP_MS, what: "all processes run" })
    await Promise.all([...this.#running.values()].map((process) => process.tell("stopLoad")))
  }
}

function lastOf(process: FleetProcess): string {
  return process.stderr().slice(-1_000).trim()
}
