import type { MirrorOrder } from '../../src/mirror/order.ts'

/** A mirror `m` of all that a server has. */
export const ORDER: MirrorOrder = {
  v: 1,
  name: 'm',
  createdAt: '2026-01-01T00:00:00.000Z',
  server: 'https://demo.invalid',
  scope: { kind: 'query', query: '*' },
  versions: 'latest',
  layout: 'tree',
  metadata: 'all',
}
