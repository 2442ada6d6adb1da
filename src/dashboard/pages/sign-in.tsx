import { useEffect, useState } from 'preact/hooks'
import type { Session } from '../api/schemas.ts'
import { messageOf, send } from './api.ts'

/** Signs in with the token of a link, which is in the fragment: no server and no log has seen it. */
export function SignIn({ onSession }: { readonly onSession: (session: Session) => void }) {
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const [isBusy, setBusy] = useState(false)
  const begin = (token: string): void => {
    setBusy(true)
    send<Session>('POST', '/api/session', { token })
      .then(onSession, (error: unknown) => setProblem(messageOf(error)))
      .finally(() => setBusy(false))
  }
  useEffect(() => {
    const token = location.pathname === '/link' ? location.hash.slice(1) : ''
    if (token === '') return
    history.replaceState(null, '', '/')
    begin(token)
  }, [])
  const submit = (event: Event): void => {
    event.preventDefault()
    const form = event.currentTarget
    const token = form instanceof HTMLFormElement ? new FormData(form).get('token') : null
    if (typeof token === 'string' && token.trim() !== '') begin(token.trim())
  }
  return (
    <main id="main" class="sign-in" tabIndex={-1}>
      <div class="card">
        <h1>dataferry</h1>
        <p>To sign this browser in, run this where the dashboard runs, and open the address that it prints:</p>
        <pre>
          <code>dataferry dashboard link</code>
        </pre>
        <form onSubmit={submit}>
          <label>
            Or give a token
            <input name="token" type="password" autoComplete="off" spellcheck={false} required />
          </label>
          <button type="submit" class="primary" disabled={isBusy}>
            Sign in
          </button>
        </form>
        {problem !== undefined && (
          <div role="alert" class="outcome bad">
            {problem}
          </div>
        )}
      </div>
    </main>
  )
}
