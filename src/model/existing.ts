/** What to do when there is already something at an item's path. `error` and the overwriting ones never touch identical files. */
export const EXISTING = ['error', 'skip', 'overwrite', 'overwrite-different', 'refresh'] as const
export type Existing = (typeof EXISTING)[number]
