// The command line as people run it, compiled with the scenarios.
await import("../../../src/cli/main.ts")
