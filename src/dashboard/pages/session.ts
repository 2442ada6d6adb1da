import { createContext } from 'preact'
import { useContext } from 'preact/hooks'
import type { Session } from '../api/schemas.ts'

export const SessionContext = createContext<Session | undefined>(undefined)

/** Who is signed in, and what they may do. */
export function useSession(): { readonly session: Session | undefined; readonly isOperator: boolean } {
  const session = useContext(SessionContext)
  return { session, isOperator: session?.role === 'operator' }
}
