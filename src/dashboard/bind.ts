import type { Server } from 'node:net'
import { DataferryError, systemCode } from '../errors.ts'

/** Where a server listens. */
export interface BindOptions {
  readonly host: string
  readonly port: number
  /** Take this port or none. */
  readonly exact: boolean
}

/** Ports that are tried after the one that is taken. */
const FURTHER = 20

/** What the system says of an interface, or a name of one, that is not there. */
const NO_ADDRESS = ['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EAI_AGAIN', 'EINVAL', 'ENOTFOUND']

/**
 * Has a server listen on a port, or on the next one that is free. Rejects with `ARGUMENT_INVALID` when none is, or the interface is
 * not of this machine.
 * @returns the port
 */
export async function bind(server: Server, { host, port, exact }: BindOptions): Promise<number> {
  const last = exact || port === 0 ? port : Math.min(65_535, port + FURTHER)
  for (let at = port; ; at++) {
    try {
      return await bindTo(server, host, at)
    } catch (error) {
      const code = systemCode(error)
      if (code === 'EADDRINUSE' && at < last) continue
      if (code === 'EADDRINUSE') {
        const taken = last === port ? `Port ${port} of ${host} is` : `Ports ${port} to ${last} of ${host} are`
        throw invalid(`${taken} taken: give another one.`)
      }
      if (code === 'EACCES')
        throw invalid(`Port ${at} is only for the administrator of this machine: give one from 1024 on.`)
      if (code !== undefined && NO_ADDRESS.includes(code))
        throw invalid(`${host} is no address of this machine: see --host.`)
      throw error
    }
  }
}

async function bindTo(server: Server, host: string, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  const address = server.address()
  return typeof address === 'object' && address ? address.port : port
}

function invalid(message: string): DataferryError {
  return new DataferryError('ARGUMENT_INVALID', message)
}
