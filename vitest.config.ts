import { fileURLToPath } from "node:url"
import { configDefaults, defineConfig } from "vitest/config"

const tests = ["src/**/*.test.ts", "test/**/*.test.ts", "examples/**/*.test.ts"]
const needsDatabase = "**/*.db.test.ts"

/** The public doors as the documentation's examples import them, from the sources. */
const doors = Object.fromEntries(
  ["signal", "server", "client", "opentelemetry", "prometheus", "fleetprompt"].map((door) => {
    const name = door === "fleetprompt" ? door : `fleetprompt/${door}`
    return [name, fileURLToPath(new URL(`src/${door}.ts`, import.meta.url))]
  }),
)

export default defineConfig({
  resolve: { alias: doors },
  test: {
    pool: "threads",
    // Files share a thread's modules: none of ours keeps state, and loading them anew takes longer than most tests.
    isolate: false,
    // Most tests wait for a database, a lease or another process more than they compute: so three files at once, also on two processors.
    maxWorkers: 3,
    // Long enough for a busy machine: it is to end a test that hangs, not one that is slow.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      { extends: true, test: { name: "unit", include: tests, exclude: [...configDefaults.exclude, needsDatabase] } },
      {
        extends: true,
        test: {
          name: "database",
          include: [`src/${needsDatabase}`, `test/${needsDatabase}`, `examples/${needsDatabase}`],
          globalSetup: "test/support/test-databases-service.ts",
        },
      },
    ],
  },
})
