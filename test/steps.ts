/** How much text a piece of code looked at, whatever the time that took. */
export interface Steps {
  /** Characters that were handed to functions of strings and to expressions, each as often as it was handed over. */
  looks: number
  /** The longest text that an expression, a normalisation or a segmenter got: these may cost more than its length. */
  longest: number
}

type Method = (this: unknown, ...args: unknown[]) => unknown

/** Look at all of their text. */
const WHOLE = [
  'split',
  'trim',
  'trimStart',
  'trimEnd',
  'replaceAll',
  'replace',
  'toLowerCase',
  'toUpperCase',
  'includes',
]
/** Look as far as they find something. */
const SEEKING = ['indexOf', 'lastIndexOf', 'search']
/** Look at one character; loops by hand are made of them. */
const SINGLE = ['charAt', 'charCodeAt', 'codePointAt', 'startsWith', 'endsWith', 'slice']
const EXPRESSIONS = [
  'exec',
  'test',
  Symbol.replace,
  Symbol.split,
  Symbol.match,
  Symbol.matchAll,
  Symbol.search,
] as const

/**
 * Counts what `run` looks at. Functions of strings and expressions are replaced meanwhile, so that nothing else may run:
 * `run` must not wait for anything but its own promises.
 */
export async function countSteps(run: () => Promise<void>): Promise<Steps> {
  const steps: Steps = { looks: 0, longest: 0 }
  let inExpression = false
  const undo: (() => void)[] = []
  const replace = (owner: object, name: PropertyKey, wrap: (method: Method) => Method): void => {
    const before = Object.getOwnPropertyDescriptor(owner, name)
    if (!before || typeof before.value !== 'function') throw new Error(`no method ${String(name)}`)
    Object.defineProperty(owner, name, { ...before, value: wrap(before.value as Method) })
    undo.push(() => Object.defineProperty(owner, name, before))
  }
  const look = (text: unknown, count?: number): void => {
    if (!inExpression && typeof text === 'string') steps.looks += count ?? text.length
  }
  const costly = (method: Method, textOf: (self: unknown, args: unknown[]) => unknown): Method =>
    function (this: unknown, ...args) {
      const text = textOf(this, args)
      if (inExpression || typeof text !== 'string') return method.apply(this, args)
      steps.looks += text.length
      steps.longest = Math.max(steps.longest, text.length)
      inExpression = true
      try {
        return method.apply(this, args)
      } finally {
        inExpression = false
      }
    }

  for (const name of WHOLE) {
    replace(
      String.prototype,
      name,
      (method) =>
        function (this: unknown, ...args) {
          look(this)
          return method.apply(this, args)
        },
    )
  }
  for (const name of SEEKING) {
    replace(
      String.prototype,
      name,
      (method) =>
        function (this: unknown, ...args) {
          const found = method.apply(this, args)
          const from = typeof args[1] === 'number' ? args[1] : 0
          const to = typeof found === 'number' && found >= 0 ? found : String(this).length
          look(this, Math.abs(to - from) + 1)
          return found
        },
    )
  }
  for (const name of SINGLE) {
    replace(
      String.prototype,
      name,
      (method) =>
        function (this: unknown, ...args) {
          look(this, 1)
          return method.apply(this, args)
        },
    )
  }
  replace(String.prototype, 'normalize', (method) => costly(method, (self) => self))
  replace(Intl.Segmenter.prototype, 'segment', (method) => costly(method, (_, [text]) => text))
  for (const name of EXPRESSIONS) replace(RegExp.prototype, name, (method) => costly(method, (_, [text]) => text))
  try {
    await run()
  } finally {
    for (const back of undo.reverse()) back()
  }
  return steps
}
