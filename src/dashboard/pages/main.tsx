import { render } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { Session } from '../api/schemas.ts'
import { get, onSignedOut, send } from './api.ts'
import { Batch } from './batch.tsx'
import { Batches } from './batches.tsx'
import { Items } from './items.tsx'
import { Mirrors } from './mirrors.tsx'
import { NewBatch } from './new-batch.tsx'
import { Overview } from './overview.tsx'
import { Proof } from './proof.tsx'
import { Link, useAddress } from './router.tsx'
import { Schedules } from './schedules.tsx'
import { Servers } from './servers.tsx'
import { SessionContext } from './session.ts'
import { SignIn } from './sign-in.tsx'
import { Workers } from './workers.tsx'

const PAGES = [
  { to: '/', name: 'Overview' },
  { to: '/batches', name: 'Batches' },
  { to: '/new', name: 'New batch' },
  { to: '/mirrors', name: 'Mirrors' },
  { to: '/schedules', name: 'Schedules' },
  { to: '/proof', name: 'Proof' },
  { to: '/servers', name: 'Servers' },
  { to: '/workers', name: 'Workers' },
] as const

function App() {
  const [session, setSession] = useState<Session | null | undefined>(undefined)
  useEffect(() => onSignedOut(() => setSession(null)), [])
  useEffect(() => {
    if (location.pathname === '/link') setSession(null)
    else get<Session>('/api/session').then(setSession, () => setSession(null))
  }, [])
  if (session === undefined) return null
  if (session === null) return <SignIn onSession={setSession} />
  return (
    <SessionContext.Provider value={session}>
      <Shell session={session} onSignOut={() => setSession(null)} />
    </SessionContext.Provider>
  )
}

function Shell({ session, onSignOut }: { readonly session: Session; readonly onSignOut: () => void }) {
  const address = useAddress()
  const path = address.split('?')[0] ?? '/'
  const here = PAGES.find(({ to }) => (to === '/' ? path === '/' : path.startsWith(to)))
  useEffect(() => {
    document.title = here && here.to !== '/' ? `${here.name} – dataferry` : 'dataferry'
    // On a phone not all of them are in sight.
    document.querySelector('nav [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }, [here])
  const signOut = (): void => {
    send('DELETE', '/api/session').then(onSignOut, onSignOut)
  }
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <header>
        <Link to="/" class="brand">
          <Ferry />
          dataferry
        </Link>
        <nav aria-label="Pages">
          {PAGES.map(({ to, name }) => (
            <Link key={to} to={to} current={here?.to === to}>
              {name}
            </Link>
          ))}
        </nav>
        <div class="who">
          <span class="quiet">{session.role}</span>
          <button type="button" class="plain" onClick={signOut}>
            Sign out
          </button>
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        <Page path={path} />
      </main>
      <footer class="quiet">
        dataferry {session.version} · <a href="/api/openapi.json">API</a>
      </footer>
    </>
  )
}

function Page({ path }: { readonly path: string }) {
  const [, id, rest] = /^\/batches\/([^/]+)(\/items)?$/.exec(path) ?? []
  if (id !== undefined) {
    const name = decodeURIComponent(id)
    return rest === undefined ? <Batch key={name} id={name} /> : <Items key={name} id={name} />
  }
  switch (path) {
    case '/batches':
      return <Batches />
    case '/new':
      return <NewBatch />
    case '/mirrors':
      return <Mirrors />
    case '/schedules':
      return <Schedules />
    case '/proof':
      return <Proof />
    case '/servers':
      return <Servers />
    case '/workers':
      return <Workers />
    default:
      return <Overview />
  }
}

function Ferry() {
  return (
    <svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
      <path d="M7 14h18v-3h-4V7h-6v4h-4l-4 3Z" fill="currentColor" opacity=".75" />
      <path d="M3 16h26l-4 8H8l-5-8Z" fill="currentColor" />
      <path
        d="M3 27c2.2 0 2.2 1.5 4.3 1.5S9.5 27 11.7 27s2.1 1.5 4.3 1.5S18.100 27 20.300 27s2.200 1.500 4.400 1.500S26.800 27 29 27"
        fill="none"
        stroke="currentColor"
        stroke-width="1.800"
        stroke-linecap="round"
        opacity=".6"
      />
    </svg>
  )
}

const place = document.getElementById('app')
if (place) render(<App />, place)
