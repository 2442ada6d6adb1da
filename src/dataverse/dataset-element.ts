import { z } from 'zod'

/** What every description of a dataset says of its PID. */
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
