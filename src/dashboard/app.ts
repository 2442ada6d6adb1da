import { Hono, type MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { z } from 'zod'
import { addRoutes, type ApiDeps } from './api/routes.ts'
import { Endpoints } from './api/endpoint.ts'
import { OPENAPI, openApi } from './api/openapi.ts'
import { TOO_LONG } from './api/schemas.ts'
import type { Asset } from './assets.ts'
import { allowedHostsOnly, safeHeaders, sameOriginOnly } from './guard.ts'
import { answerMetrics, type MetricsText } from './metrics.ts'
import type { Reach } from './reach.ts'
import { refuse } from './refusal.ts'

export interface AppDeps extends ApiDeps {
  readonly reach: Reach
  readonly assets: ReadonlyMap<string, Asset>
  /** What is not there; empty: all is. */
  readonly missing: () => Promise<readonly string[]>
  readonly metrics: () => Promise<MetricsText>
  /** Whether metrics need no token: only this machine can reach them. */
  readonly openMetrics: boolean
}

const SMALL_BODY = 64 << 10
/** A pasted manifest, in JSON. */
const LARGE_BODY = 1 << 20
const LARGE = new Set(['/api/plans', '/api/batches'])

/** Addresses of pages; what is shown there is decided by the page itself. */
const PAGES = [
  '/',
  '/link',
  '/batches',
  '/batches/:id',
  '/batches/:id/items',
  '/new',
  '/mirrors',
  '/schedules',
  '/proof',
  '/servers',
  '/workers',
]

/** The whole dashboard as one function of requests. What refuses stands before what answers. */
export function dashboardApp(deps: AppDeps): Hono {
  const app = new Hono()
  app.onError((_, context) => refuse(context, 500, 'UNEXPECTED', 'Something unexpected happened.'))
  app.notFound((context) => refuse(context, 404, 'NOT_FOUND', 'There is nothing at this address.'))
  app.use(safeHeaders)
  addHealth(app, deps)
  app.use(allowedHostsOnly(deps.reach))
  app.use(sameOriginOnly(deps.reach))
  const [small, large] = [limit(SMALL_BODY, 'This is too long.'), limit(LARGE_BODY, TOO_LONG)]
  app.use((context, next) => (LARGE.has(context.req.path) ? large : small)(context, next))
  addMetrics(app, deps)
  addApi(app, deps)
  addPages(app, deps.assets)
  return app
}

function limit(maxSize: number, message: string): ReturnType<typeof bodyLimit> {
  return bodyLimit({ maxSize, onError: (context) => refuse(context, 413, 'BODY_TOO_LARGE', message) })
}

/** For supervisors, which ask by address and have no token; so nothing is told but yes or no. */
function addHealth(app: Hono, { missing }: AppDeps): void {
  app.get('/healthz', (context) => context.text('alive\n'))
  app.get('/readyz', async (context) => {
    const lacking = await missing()
    const status: ContentfulStatusCode = lacking.length === 0 ? 200 : 503
    return context.text(lacking.length === 0 ? 'ready\n' : `not ready: ${lacking.join(', ')}\n`, status)
  })
}

function addMetrics(app: Hono, { metrics, openMetrics, signIn }: AppDeps): void {
  app.get('/metrics', (context) => {
    if (!openMetrics && signIn.roleOf(context) === undefined) {
      return refuse(context, 401, 'SIGNED_OUT', 'Metrics need the viewer token as a bearer token here.')
    }
    return answerMetrics(context, metrics)
  })
}

function addApi(app: Hono, deps: AppDeps): void {
  const endpoints = new Endpoints(app)
  const signedIn: MiddlewareHandler = async (context, next) => {
    const { method, path } = context.req
    const isOpen = endpoints.all.some((one) => one.open && one.path === path && one.method === method.toLowerCase())
    return isOpen ? next() : deps.signIn.required(context, next)
  }
  app.use('/api/*', signedIn)
  addRoutes(endpoints, deps)
  endpoints.add({
    method: 'get',
    path: '/api/openapi.json',
    summary: 'This description.',
    answer: z.looseObject({ openapi: z.literal(OPENAPI) }),
    handle: () => Promise.resolve(openApi(endpoints.all)),
  })
}

function addPages(app: Hono, assets: ReadonlyMap<string, Asset>): void {
  const send = (name: string, type?: string) => (context: Parameters<typeof refuse>[0]) => {
    const asset = assets.get(name)
    if (!asset) return refuse(context, 503, 'NO_PAGES', 'The pages are not part of this build: run `npm run build`.')
    const headers = { 'Content-Type': type ?? asset.type, ETag: asset.etag, 'Cache-Control': 'no-cache' }
    return context.req.header('if-none-match') === asset.etag
      ? context.body(null, 304, headers)
      : context.body(asset.bytes, 200, headers)
  }
  for (const path of PAGES) app.get(path, send('index.html'))
  for (const name of assets.keys()) if (name !== 'index.html') app.get(`/assets/${name}`, send(name))
}
