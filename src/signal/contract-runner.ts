/**
 * What a contract suite needs of a test runner, so that it runs under any: `test` and `expect` of
 * Vitest, Jest or Bun as they are.
 *
 * @example
 * // node:test
 * const runner = { test, expect: (actual) => ({ toEqual: (expected) => assert.deepEqual(actual, expected) }) }
 */
export interface ContractRunner {
  /** Registers a test. */
  readonly test: (name: string, run: () => Promise<void>) => unknown
  /** `toEqual` compares deeply and throws where the two differ. */
  readonly expect: (actual: unknown) => { readonly toEqual: (expected: unknown) => unknown }
}
