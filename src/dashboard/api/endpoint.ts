import type { Context, Hono } from 'hono'
import { z } from 'zod'
import { parseJson } from '../../json/parse-json.ts'
import { visibleJson } from '../../model/visible-text.ts'
import { refuse, refuseFor } from '../refusal.ts'

/** Of a request that is checked. */
interface Asked<P, Q, B> {
  readonly params: P
  readonly query: Q
  readonly body: B
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal
  readonly context: Context
}

/** How a route looks from outside. */
export interface EndpointInfo {
  readonly method: 'get' | 'post' | 'delete'
  /** As Hono writes it: `/api/batches/:id`. */
  readonly path: string
  readonly summary: string
  readonly params?: z.ZodType
  readonly query?: z.ZodType
  readonly body?: z.ZodType
  readonly answer: z.ZodType
  /** Where the answer is no single JSON document. */
  readonly contentType?: string
  /** Whether it can be asked for without being signed in. */
  readonly open?: true
}

interface Endpoint<P, Q, B, A> extends EndpointInfo {
  readonly params?: z.ZodType<P>
  readonly query?: z.ZodType<Q>
  readonly body?: z.ZodType<B>
  readonly answer: z.ZodType<A>
  /** A `Response` is sent as it is. */
  readonly handle: (asked: Asked<P, Q, B>) => Promise<A | Response>
}

const NO_PARTS = z.object({})

/** The routes of an app, each described by the schemas that check it. */
export class Endpoints {
  readonly all: EndpointInfo[] = []
  readonly #app: Hono

  constructor(app: Hono) {
    this.#app = app
  }

  add<A, P = Record<string, never>, Q = Record<string, never>, B = undefined>(endpoint: Endpoint<P, Q, B, A>): void {
    this.all.push(endpoint)
    this.#app.on(endpoint.method.toUpperCase(), endpoint.path, async (context) => {
      try {
        const asked = await read(endpoint, context)
        if (asked instanceof Response) return asked
        const answer = await endpoint.handle(asked)
        return answer instanceof Response ? answer : jsonAnswer(context, answer)
      } catch (error) {
        return refuseFor(context, error)
      }
    })
  }
}

/** JSON in which no character can act on a terminal that shows it. */
function jsonAnswer(context: Context, answer: unknown): Response {
  return context.body(visibleJson(JSON.stringify(answer)), 200, { 'Content-Type': 'application/json; charset=utf-8' })
}

async function read<P, Q, B>(
  { params, query, body }: Pick<Endpoint<P, Q, B, unknown>, 'params' | 'query' | 'body'>,
  context: Context,
): Promise<Asked<P, Q, B> | Response> {
  const { req } = context
  const parts = z.object({
    params: params ?? NO_PARTS,
    query: query ?? NO_PARTS,
    body: body ?? z.undefined(),
  })
  const json = body && parseJson(await req.text())
  if (body && json === undefined) return refuse(context, 400, 'ARGUMENT_INVALID', 'The body is not JSON.')
  const given = {
    params: req.param(),
    query: req.query(),
    body: json,
  }
  const parsed = parts.safeParse(given)
  if (!parsed.success) return refuse(context, 400, 'ARGUMENT_INVALID', problemsOf(parsed.error, given))
  const asked = parsed.data as { params: P; query: Q; body: B }
  return { ...asked, signal: req.raw.signal, context }
}

const PROBLEMS = 5

const PLACES: Readonly<Record<string, string>> = { params: 'address', query: 'query', body: 'body' }

function problemsOf({ issues }: z.ZodError, given: unknown): string {
  return issues.slice(0, PROBLEMS).map(problemOf(given)).join(' ')
}

/** `The body lacks the field manifest.` */
function problemOf(given: unknown): (issue: z.core.$ZodIssue) => string {
  return ({ path: [part, ...path], message }) => {
    const place = `The ${PLACES[String(part)] ?? 'request'}`
    const field = path.map(String).join('.')
    const value = [part, ...path].reduce<unknown>((from, key) => valueAt(from, key), given)
    if (field !== '' && value === undefined) return `${place} lacks the field ${field}.`
    const what = message.replace(/^Invalid input: /, '').replace(/\.$/, '')
    return `${place}${field === '' ? '' : `, field ${field}`}: ${what}.`
  }
}

function valueAt(from: unknown, key: PropertyKey | undefined): unknown {
  return typeof from === 'object' && from !== null && key !== undefined ? Reflect.get(from, key) : undefined
}
