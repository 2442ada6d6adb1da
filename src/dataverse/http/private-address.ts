import { lookup as systemLookup, type LookupAddress } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'

/** How names are resolved, and which addresses are private. */
export interface Network {
  readonly lookup: (hostname: string, done: (error: Error | null, addresses: readonly LookupAddress[]) => void) => void
  readonly isPrivate: (address: string) => boolean
}

/** This machine's. */
export const NETWORK: Network = {
  lookup: (hostname, done) => systemLookup(hostname, { all: true }, done),
  isPrivate: isPrivateAddress,
}

/** A host with only private addresses, reached by a redirect from outside. */
export class PrivateAddressError extends Error {
  override readonly name = 'PrivateAddressError'
  readonly address: string

  constructor(hostname: string, address: string) {
    super(`${hostname} is ${address}, a private address`)
    this.address = address
  }
}

/** Address ranges that mean something only inside a network. @see RFC 6890; the names are those of ipaddr.js */
const INSIDE: ReadonlySet<string> = new Set([
  'unspecified',
  'loopback',
  'linkLocal',
  'private',
  'uniqueLocal',
  'carrierGradeNat',
  'broadcast',
  'multicast',
])

/** Whether an address is one of this machine, of its links or of a private network, also when wrapped in IPv6. */
export function isPrivateAddress(address: string): boolean {
  const parsed = ipaddr.process(address)
  const range = parsed.range()
  // NAT64 (RFC 6052) ends with the embedded IPv4 address, 6to4 (RFC 3056) has it after its prefix.
  const at = range === 'rfc6052' ? 12 : range === '6to4' ? 2 : undefined
  if (at === undefined) return INSIDE.has(range)
  return isPrivateAddress(
    parsed
      .toByteArray()
      .slice(at, at + 4)
      .join('.'),
  )
}

/** The address of a URL's host if it is written as one; undefined for a name other than `localhost`. */
export function literalAddress(hostname: string): string | undefined {
  const bare = hostname.replace(/^\[|\]$/g, '')
  if (isIP(bare) !== 0) return bare
  return /(?:^|\.)localhost\.?$/i.test(hostname) ? '127.0.0.1' : undefined
}

/** Whether a host has a private address; false if it cannot be resolved. */
export async function isInside(hostname: string, network: Network): Promise<boolean> {
  const literal = literalAddress(hostname)
  if (literal !== undefined) return network.isPrivate(literal)
  return new Promise((resolve) => {
    network.lookup(hostname, (error, addresses) =>
      resolve(error === null && addresses.some(({ address }) => network.isPrivate(address))),
    )
  })
}

/** A resolver for connections that returns only public addresses: the address checked is the one connected to. */
export function publicLookup(network: Network): LookupFunction {
  return (hostname, options, done) => {
    network.lookup(hostname, (error, found) => {
      const addresses = found.filter(({ address }) => !network.isPrivate(address))
      const [first] = addresses
      if (error || !first) {
        const inside = found[0]
        done(error ?? (inside ? new PrivateAddressError(hostname, inside.address) : new Error('no address')), '')
      } else if (options.all) done(null, addresses.slice())
      else done(null, first.address, first.family)
    })
  }
}
