import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Commands, Request, Response } from "./commands.ts"

/** A contender's own process, so that what one leaves behind harms no other. */
export interface ContenderProcess {
  /** @throws what the contender threw, by its message, or why the process is gone. */
  readonly tell: <Name extends keyof Commands>(
    name: Name,
    ...order: Parameters<Commands[Name]>
  ) => ReturnType<Commands[Name]>
  /** Ends it at once; commands under way fail with the reason. */
  readonly kill: (reason: string) => Promise<void>
}

interface Waiting {
  readonly resolve: (result: unknown) => void
  readonly reject: (error: Error) => void
}

/** What is kept of what it complained about. */
const MAX_COMPLAINT = 500

/** Starts a process that waits for commands. It ends with this one. */
export function startContenderProcess(): ContenderProcess {
  const path = fileURLToPath(new URL("child.js", import.meta.url))
  // Libraries write to stdout as they like; ours is for the results.
  const child = fork(path, { stdio: ["ignore", "ignore", "pipe", "ipc"] })
  const waiting = new Map<number, Waiting>()
  let complaint = ""
  let reason: string | undefined
  let lastId = 0
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (complaint = (complaint + text).slice(-MAX_COMPLAINT)))
  child.on("message", (response: Response) => {
    const call = waiting.get(response.id)
    waiting.delete(response.id)
    if ("error" in response) call?.reject(new Error(response.error))
    else call?.resolve(response.result)
  })
  const ended = new Promise<void>((resolve) => {
    child.once("close", (code, signal) => {
      reason ??= `its process ended with ${code ?? signal}: ${complaint.trim()}`
      for (const { reject } of waiting.values()) reject(new Error(reason))
      resolve()
    })
  })
  const tell = (name: keyof Commands, order?: unknown): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (reason !== undefined) return reject(new Error(reason))
      const request: Request = { id: ++lastId, name, order }
      waiting.set(request.id, { resolve, reject })
      // When it cannot be sent, the process has ended, and "close" tells so.
      child.send(request, () => {})
    })
  return {
    // The child answers a command with what the command of that name returns.
    tell: tell as ContenderProcess["tell"],
    kill: (why) => {
      reason ??= why
      child.kill("SIGKILL")
      return ended
    },
  }
}
