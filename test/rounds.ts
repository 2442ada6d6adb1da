/** Rounds of a property: so many in `npm test`, and a multiple of them in the long tests. See vitest.config.ts. */
export function rounds(quick: number): { readonly numRuns: number } {
  return { numRuns: quick * Number(process.env['TEST_ROUNDS'] ?? 1) }
}
