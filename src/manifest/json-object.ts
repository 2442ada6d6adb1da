/** An object of a JSON text, whatever is in it. */
export type JsonObject = Readonly<Record<string, unknown>>

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A member of its own, never one of the prototype; undefined when the value is no object or has none. */
export function member(value: unknown, name: string): unknown {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined
}

/** A member that is text and not empty. */
export function textOf(value: unknown, name: string): string | undefined {
  const text = member(value, name)
  return typeof text === 'string' && text !== '' ? text : undefined
}

/** A member that is a whole number. */
export function integerOf(value: unknown, name: string): number | undefined {
  const number = member(value, name)
  return Number.isSafeInteger(number) ? Number(number) : undefined
}
