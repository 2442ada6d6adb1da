import { startDataverse, type StandIn, type StandInOptions } from '../fakes/dataverse/server.ts'
import { World } from '../fakes/dataverse/world.ts'

export const PROFILES = ['5.9', '5.12', '6.9', '6.11'] as const
const TOKENS = {
  admin: { user: '@admin', superuser: true, curates: 'all' },
  jane: { user: '@jane' },
  granted: { user: '@granted', grants: [12] },
} as const
export const DATASET = 'doi:10.5072/FK2/ABCDEF'
export const BOOKED = 'doi:10.5072/FK2/BOOKED'
export const BYTES = Buffer.from('Hello, Dataverse! These bytes are served as they are.\n')
const BIG = { size: 3_000_000, seed: 7 }
export const TABLE = {
  original: 'a,b\n1,x\n2,y\n',
  header: ['a', 'b'],
  tab: '1\t"x"\n2\t"y"\n',
  originalName: 'table.csv',
}

/** Ids: 10 plain, 11 table, 12 restricted, 13 stored in S3, 14 empty, 15 a web page as data, 16 big, 17 broken, 31 behind a guestbook. */
function world(): World {
  const made = new World()
  made.dataset(DATASET, {
    id: 1,
    title: 'Test data',
    files: [
      {
        id: 10,
        label: 'hello.txt',
        directory: 'raw/2024',
        content: BYTES,
        contentType: 'text/plain',
        pid: `${DATASET}/PLAIN`,
        auxiliary: [
          { tag: 'dpJson', version: 'v1', content: '{"a":1}', contentType: 'application/json', isPublic: true },
        ],
      },
      { id: 11, label: 'table.tab', tabular: TABLE, contentType: 'text/tab-separated-values', pid: `${DATASET}/TABLE` },
      { id: 12, label: 'secret.txt', content: 'secret', contentType: 'text/plain', restricted: true },
      { id: 13, label: 'stored.bin', content: BYTES, store: 's3-redirect', pid: `${DATASET}/STORED` },
      { id: 14, label: 'empty.txt', content: '', contentType: 'text/plain' },
      { id: 15, label: 'page.html', content: '<html><body>data</body></html>', contentType: 'text/html' },
      { id: 16, label: 'big.bin', content: BIG },
      { id: 18, label: 'data.json', content: '{"not":"parsed"}', contentType: 'application/json' },
    ],
  })
  made.dataset(BOOKED, {
    id: 2,
    guestbook: {
      id: 7,
      nameRequired: true,
      emailRequired: true,
      customQuestions: [{ id: 31, question: 'What for?', required: true, options: ['Teaching', 'Research'] }],
    },
    files: [{ id: 31, label: 'booked.txt', content: BYTES, contentType: 'text/plain' }],
  })
  made.dataset('doi:10.5072/FK2/GONE', {
    id: 3,
    files: [{ id: 17, label: 'gone.bin', content: BYTES, store: 'missing' }],
  })
  return made
}

/** Runs `work` against a stand-in of its own. */
export async function withStandIn<T>(
  options: Omit<StandInOptions, 'world'> & Partial<Pick<StandInOptions, 'world'>>,
  work: (server: StandIn) => Promise<T>,
): Promise<T> {
  const server = await startDataverse({ world: world(), tokens: TOKENS, ...options })
  try {
    return await work(server)
  } finally {
    await server.close()
  }
}
