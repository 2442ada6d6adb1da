/** For what need not be read or asked. */
export async function* nothing(): AsyncGenerator<never, void> {
  // It ends at once.
}
