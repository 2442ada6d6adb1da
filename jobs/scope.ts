/**
 * Whose jobs a queue holds, since BullMQ cannot tell within one queue who may take a job: `public` is for every worker, `token`
 * for those that have the server's token, and the id of a batch for the one process that brings this batch home.
 */
export type Scope = string

export const PUBLIC_SCOPE = 'public'
export const TOKEN_SCOPE = 'token'

/** What decides whose jobs a batch's are. */
export interface Whose {
  readonly id: string
  readonly attached: boolean
  readonly tokenServers: readonly string[]
}

/** Where the items of one server wait. */
export function itemScope({ id, attached, tokenServers }: Whose, server: string): Scope {
  if (attached) return id
  return tokenServers.includes(server) ? TOKEN_SCOPE : PUBLIC_SCOPE
}
