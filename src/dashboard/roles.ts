/** - `viewer`: sees everything · `operator`: may also change what happens */
export const ROLES = ['viewer', 'operator'] as const
export type Role = (typeof ROLES)[number]
