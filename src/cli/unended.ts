const HALTED =
  'dataferry: the command came to a halt before its end, which is a fault in dataferry. What was fetched is kept; its log says more: give it again with --log-level debug --log-file FILE.\n'

/** Has a process in which nothing goes on any more, and whose command has not ended, end with 1: Node.js would end it with 0 and without a word. */
export function failUnlessEnded(source: NodeJS.Process): void {
  source.once('beforeExit', () => source.stderr.write(HALTED, () => source.exit(1)))
}
