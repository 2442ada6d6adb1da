import { z } from 'zod'

/** The PID, as every description of a dataset gives it. */
export const pidPiecesSchema = z.looseObject({
  protocol: z.string(),
  authority: z.string(),
  identifier: z.string(),
  separator: z
    .string()
    .nullish()
    .transform((text) => text ?? undefined),
  persistentUrl: z
    .string()
    .nullish()
    .transform((text) => text ?? undefined),
})
