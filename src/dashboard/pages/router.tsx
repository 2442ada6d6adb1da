import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'

/** The address that is shown, without its fragment. */
export function useAddress(): string {
  const [address, setAddress] = useState(here())
  useEffect(() => {
    const changed = (): void => setAddress(here())
    addEventListener('popstate', changed)
    return () => removeEventListener('popstate', changed)
  }, [])
  return address
}

function here(): string {
  return location.pathname + location.search
}

/** Goes to another page of ours. */
export function go(address: string): void {
  history.pushState(null, '', address)
  dispatchEvent(new PopStateEvent('popstate'))
  scrollTo(0, 0)
  document.getElementById('main')?.focus()
}

export interface LinkProps {
  readonly to: string
  readonly class?: string
  readonly current?: boolean
  readonly children: ComponentChildren
}

/** A link within the pages; with a modifier key it is an ordinary one. */
export function Link({ to, class: name, current, children }: LinkProps) {
  const click = (event: MouseEvent): void => {
    if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return
    event.preventDefault()
    go(to)
  }
  return (
    <a href={to} class={name} onClick={click} aria-current={current ? 'page' : undefined}>
      {children}
    </a>
  )
}

export function batchAddress(id: string, rest = ''): string {
  return `/batches/${encodeURIComponent(id)}${rest}`
}
