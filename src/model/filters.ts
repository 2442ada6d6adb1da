import { z } from 'zod'

const patterns = z.array(z.string()).optional()
const bytes = z.number().int().nonnegative().optional()

/** Which of the files that a manifest names are fetched. All conditions must hold; of several patterns one is enough. */
export const filtersSchema = z.object({
  /** Globs on the path in the dataset. */
  include: patterns,
  exclude: patterns,
  minSize: bytes,
  maxSize: bytes,
  /** Globs on the content type. */
  contentTypes: patterns,
})
/**
 * See `filtersSchema`.
 * @useDeclaredType
 */
export type Filters = Readonly<z.infer<typeof filtersSchema>>
