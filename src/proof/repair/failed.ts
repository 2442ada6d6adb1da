import { z } from 'zod'

export const failedSchema = z.object({ path: z.string(), code: z.string().optional(), message: z.string() })
/** Why a file could not be repaired. */
export type Failed = Readonly<z.infer<typeof failedSchema>>
