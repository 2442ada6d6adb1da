import { z } from 'zod'
import { DATAFERRY_VERSION } from '../../dataverse/version.ts'
import type { EndpointInfo } from './endpoint.ts'
import { refusalSchema } from './schemas.ts'

type Json = Readonly<Record<string, unknown>>
export const OPENAPI = '3.1.0'

/**
 * The description of the API, made from the schemas that check it.
 * @see https://spec.openapis.org/oas/v3.1.0
 */
export function openApi(endpoints: readonly EndpointInfo[]): { readonly openapi: typeof OPENAPI } & Json {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const endpoint of endpoints) {
    const path = endpoint.path.replaceAll(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [endpoint.method]: operation(endpoint) }
  }
  return {
    openapi: OPENAPI,
    info: { title: 'dataferry dashboard', version: DATAFERRY_VERSION },
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'that of --viewer-token-file or --operator-token-file' },
      },
    },
    security: [{ token: [] }],
    paths,
  }
}

/** What a write without arguments sends: every write is JSON. */
const NO_ARGUMENTS = z.object({})

function operation({ method, summary, params, query, body, answer, contentType, open }: EndpointInfo): Json {
  const parameters = [...parametersOf('path', params), ...parametersOf('query', query)]
  const sent = method === 'get' ? undefined : (body ?? NO_ARGUMENTS)
  return {
    summary,
    ...(open && { security: [] }),
    ...(parameters.length > 0 && { parameters }),
    ...(sent && { requestBody: { required: true, content: contentOf(sent, 'input') } }),
    responses: {
      200: { description: 'done', content: contentOf(answer, 'output', contentType) },
      default: { description: 'refused or failed', content: contentOf(refusalSchema, 'output') },
    },
  }
}

function contentOf(schema: z.ZodType, io: 'input' | 'output', type = 'application/json'): Json {
  return { [type]: { schema: jsonSchema(schema, io) } }
}

function parametersOf(place: 'path' | 'query', schema: z.ZodType | undefined): Json[] {
  if (!schema) return []
  // Numbers come as text, of which only what is read from it can be described.
  const { properties = {} } = jsonSchema(schema, 'output')
  const { required = [] } = jsonSchema(schema, 'input')
  return Object.entries(properties).map(([name, one]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: one,
  }))
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): z.core.JSONSchema.BaseSchema {
  const described = z.toJSONSchema(schema, { io })
  delete described.$schema
  return described
}
