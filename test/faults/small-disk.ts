import { execFile } from "node:child_process"
import { mkdtemp, rm, statfs, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import type { Stage } from "./stage.ts"

const run = promisify(execFile)

/** A disk that is soon full. */
export interface SmallDisk {
  readonly directory: string
  /** Fills it, so that this many bytes are left. */
  readonly fill: (leftBytes: number) => Promise<void>
  /** Gives back what filled it. */
  readonly free: () => Promise<void>
  /** Bytes that are left. */
  readonly left: () => Promise<number>
}

/**
 * Mounts a tmpfs for the time of the scenario. What is made on it must be closed before, so ask for it first.
 *
 * @throws Error that says what is missing where nothing can be mounted
 */
export async function mountSmallDisk(stage: Pick<Stage, "cleanup">, megabytes: number): Promise<SmallDisk> {
  const directory = await mkdtemp(join(tmpdir(), "small-disk-"))
  await run("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m,mode=0755`, "tmpfs", directory]).catch(
    (cause: unknown) => {
      throw new Error("a small disk needs Linux and root, to mount a tmpfs; run this scenario as root", { cause })
    },
  )
  stage.cleanup("a small disk", async () => {
    await run("umount", ["--lazy", directory])
    await rm(directory, { recursive: true })
  })
  const ballast = join(directory, "ballast")
  const left = async (): Promise<number> => {
    const { bavail, bsize } = await statfs(directory)
    return bavail * bsize
  }
  const free = (): Promise<void> => rm(ballast, { force: true })
  return {
    directory,
    fill: async (leftBytes) => {
      await free()
      // Others write meanwhile; then it is full before that.
      await writeFile(ballast, Buffer.alloc(Math.max(0, (await left()) - leftBytes))).catch(unlessFull)
    },
    free,
    left,
  }
}

function unlessFull(error: unknown): void {
  if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error
}
