/**
 * Whose jobs a queue holds, since BullMQ cannot restrict jobs within one queue: `public` is for every worker, `token`
 * for those that have the server's token, and the id of a batch for the one process that owns it.
 */
export type Scope = string

export const PUBLIC_SCOPE = 'public'
export const TOKEN_SCOPE = 'token'

/** The facts that decide a batch's scope. */
export interface Whose {
  readonly id: string
  readonly attached: boolean
  readonly tokenServers: readonly string[]
}

/** The queue name of one server's items. */
export function itemScope({ id, attached, tokenServers }: Whose, server: string): Scope {
  if (attached) return id
  return tokenServers.includes(server) ? TOKEN_SCOPE : PUBLIC_SCOPE
}
