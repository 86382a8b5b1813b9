import { execFile } from "node:child_process"
import { readFileSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { setTimeout as nextTurn } from "node:timers/promises"
import { promisify } from "node:util"

/** The first process of the Postgres server with these files, which name it, and then its children. None when there is none. */
export async function processesOf(data: string): Promise<readonly number[]> {
  const file = await readFile(join(data, "postmaster.pid"), "utf8").catch(() => "")
  const first = Number.parseInt(file, 10)
  if (!(first > 0)) return []
  const { stdout } = await promisify(execFile)("ps", ["-A", "-o", "pid=,ppid="])
  const children = stdout.split("\n").flatMap((line) => {
    const [pid, parent] = line.trim().split(/\s+/).map(Number)
    return parent === first && pid !== undefined ? [pid] : []
  })
  return [first, ...children]
}

/** Ends processes with SIGKILL, waits for `ended` and until the last of them is gone. */
export async function killAll(pids: readonly number[], ended: Promise<unknown> | undefined): Promise<void> {
  for (const pid of pids) killIfThere(pid)
  await ended
  // Those that it forked meanwhile end by themselves when they miss it; the files are free then.
  for (const pid of pids) while (isThere(pid)) await nextTurn(10)
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL")
  } catch {
    // It ended by itself.
  }
}

/** A process that ended and was not yet waited for is not there any more, though the system still knows it. */
function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"))
  } catch {
    return false
  }
}
