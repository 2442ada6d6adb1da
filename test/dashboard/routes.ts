import { z } from 'zod'
import type { OpenedDashboard } from './open-dashboard.ts'

const operationSchema = z.object({ security: z.array(z.unknown()).optional() })
const describedSchema = z.object({ paths: z.record(z.string(), z.record(z.string(), operationSchema)) })

/** A route as its description tells it, with something in the place of each of its parameters. */
export interface Route {
  readonly method: string
  readonly path: string
  /** It needs nobody to be signed in. */
  readonly isOpen: boolean
}

/** Every route under `/api/`: one that is added is in this list, as the description is made of what answers. */
export async function routesOf(board: OpenedDashboard, headers: Readonly<Record<string, string>>): Promise<Route[]> {
  const { paths } = describedSchema.parse((await board.ask('/api/openapi.json', { headers })).json())
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { security }]) => ({
      method: method.toUpperCase(),
      path: path.replaceAll(/\{\w+\}/g, 'none'),
      isOpen: security?.length === 0,
    })),
  )
}
