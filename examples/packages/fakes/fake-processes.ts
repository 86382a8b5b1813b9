import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import type { FakeRule } from "./fake-rules.ts"
import { type FakeName, FAKES } from "./systems.ts"

const MAIN = fileURLToPath(new URL("./main.js", import.meta.url))

/** The fakes as processes of their own. */
export interface FakeProcesses {
  readonly urls: Readonly<Record<FakeName, string>>
  /** From now on that system behaves so. */
  readonly tell: (name: FakeName, rule: FakeRule) => Promise<void>
  readonly stop: () => Promise<void>
}

/** Starts all fakes, each in a process of its own. Only where the examples are built: processes run JavaScript. */
export async function startFakeProcesses(): Promise<FakeProcesses> {
  const names = Object.keys(FAKES) as FakeName[] // Keys of a constant are its own.
  const children = names.map((name) => spawn(process.execPath, [MAIN, name], { stdio: ["ignore", "pipe", "inherit"] }))
  const started = await Promise.all(
    children.map(async (child, place) => [names[place], await firstLine(child)] as const),
  )
  // One was started for each name.
  const urls = Object.fromEntries(started) as Readonly<Record<FakeName, string>>
  return {
    urls,
    tell: async (name, rule) => {
      await fetch(`${urls[name]}/_rules`, { method: "POST", body: JSON.stringify(rule) })
    },
    stop: async () => {
      await Promise.all(children.map(end))
    },
  }
}

async function firstLine({ stdout }: ChildProcess): Promise<string> {
  if (!stdout) throw new Error("expected an output to read, got none")
  for await (const line of createInterface({ input: stdout })) return line
  throw new Error("expected the address of a fake, its process ended without a word")
}

async function end(child: ChildProcess): Promise<void> {
  child.kill()
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit")
}
