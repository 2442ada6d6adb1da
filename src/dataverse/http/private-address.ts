import { lookup as systemLookup, type LookupAddress } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'

/** How names become addresses, and which of these lie inside. */
export interface Network {
  readonly lookup: (hostname: string, done: (error: Error | null, addresses: readonly LookupAddress[]) => void) => void
  readonly isPrivate: (address: string) => boolean
}

/** This machine's. */
export const NETWORK: Network = {
  lookup: (hostname, done) => systemLookup(hostname, { all: true }, done),
  isPrivate: isPrivateAddress,
}

/** A host that only has addresses inside, where something outside sent us. */
export class PrivateAddressError extends Error {
  override readonly name = 'PrivateAddressError'
  readonly address: string

  constructor(hostname: string, address: string) {
    super(`${hostname} is ${address}, a private address`)
    this.address = address
  }
}

/** Ranges that only somebody inside can mean. @see RFC 6890; the names are those of ipaddr.js */
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

/** Whether an address is one of this machine, of its links or of a private network, also when it is wrapped in IPv6. */
export function isPrivateAddress(address: string): boolean {
  const parsed = ipaddr.process(address)
  const range = parsed.range()
  // NAT64 (RFC 6052) ends with the IPv4 address that is meant, 6to4 (RFC 3056) has it behind its prefix.
  const at = range === 'rfc6052' ? 12 : range === '6to4' ? 2 : undefined
  if (at === undefined) return INSIDE.has(range)
  return isPrivateAddress(
    parsed
      .toByteArray()
      .slice(at, at + 4)
      .join('.'),
  )
}

/** The address that a URL's host is written as; undefined for a name, except that `localhost` is known everywhere. */
export function literalAddress(hostname: string): string | undefined {
  const bare = hostname.replace(/^\[|\]$/g, '')
  if (isIP(bare) !== 0) return bare
  return /(?:^|\.)localhost\.?$/i.test(hostname) ? '127.0.0.1' : undefined
}

/** Whether a host has an address inside; false for one that cannot be looked up. */
export async function isInside(hostname: string, network: Network): Promise<boolean> {
  const literal = literalAddress(hostname)
  if (literal !== undefined) return network.isPrivate(literal)
  return new Promise((resolve) => {
    network.lookup(hostname, (error, addresses) =>
      resolve(error === null && addresses.some(({ address }) => network.isPrivate(address))),
    )
  })
}

/** A resolver for connections that gives public addresses alone: what is checked is what is connected to. */
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
