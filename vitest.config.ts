import { configDefaults, defineConfig } from "vitest/config"

const tests = ["src/**/*.test.ts", "test/**/*.test.ts"]
const needsDatabase = "**/*.db.test.ts"

export default defineConfig({
  test: {
    pool: "threads",
    // Files share a thread's modules: none of ours keeps state, and loading them anew takes longer than most tests.
    isolate: false,
    // Long enough for a busy machine: it is to end a test that hangs, not one that is slow.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      { extends: true, test: { name: "unit", include: tests, exclude: [...configDefaults.exclude, needsDatabase] } },
      {
        extends: true,
        test: {
          name: "database",
          include: [`src/${needsDatabase}`, `test/${needsDatabase}`],
          globalSetup: "test/support/test-databases-service.ts",
        },
      },
    ],
  },
})
