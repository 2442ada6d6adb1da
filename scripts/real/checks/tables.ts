import { readFile, writeFile } from 'node:fs/promises'
import { z } from 'zod'
import { must, mustEnd } from '../bench.ts'
import type { Check } from '../check.ts'
import { FIRST, SECOND } from '../world.ts'

/** As the server writes it: strings in quotes. */
const ARCHIVAL = 'x\ty\tname\n1\t2.5\t"Ada"\n3\t4.5\t"Grace, Brewster"\n'

/** A CSV file that the installation made a table of. */
export const TABLES: readonly Check[] = [
  {
    name: 'a table comes as it was uploaded, or in its archival form',
    run: async (bench) => {
      const table = bench.file(SECOND.table)
      const forms = [
        [['--format', 'original'], SECOND.table.content],
        [['--format', 'tab'], ARCHIVAL],
      ] as const
      for (const [args, content] of forms) {
        const to = bench.path(`table-${args[1]}`)
        const ended = await bench.dataferry(['get', table, ...args, '-o', to])
        mustEnd(ended, 0)
        const got = await readFile(to, 'utf8')
        must(got === content, `it brought ${JSON.stringify(got)}`, ended)
      }
    },
  },
  {
    name: 'in a batch name and bytes of a table are of one form',
    run: async (bench) => {
      const ids = bench.path('ids.txt')
      await writeFile(ids, bench.file(SECOND.table))
      for (const [form, end] of [
        ['original', '.csv'],
        ['archival', '.tab'],
      ] as const) {
        const ended = await bench.dataferry(['plan', ids, '--format', form, '--list', '--to', bench.path(form)])
        mustEnd(ended, 0)
        must(ended.text.includes(`table${end}`), `it is not named table${end}`, ended)
      }
    },
  },
  {
    name: 'get --variables brings columns that the table has, and refuses others',
    run: async (bench) => {
      const table = bench.file(SECOND.table)
      const listed = z.tuple([z.object({ dataVariables: z.array(z.object({ id: z.number(), name: z.string() })) })])
      const [{ dataVariables }] = await bench.installation.call('GET', `files/${table}/dataTables`, listed)
      const id = dataVariables.find(({ name }) => name === 'y')?.id
      const to = bench.path('column.tab')
      mustEnd(await bench.dataferry(['get', table, '--variables', String(id), '-o', to]), 0)
      const column = await readFile(to, 'utf8')
      must(column === 'y\n2.5\n4.5\n', `it brought ${JSON.stringify(column)}`)
      const wrong = await bench.dataferry(['get', table, '--variables', '999999999', '-o', bench.path('none.tab')])
      must(wrong.code !== 0, 'columns that it lacks were fetched', wrong)
    },
  },
  {
    name: 'all forms of a table come as one ZIP, and of no table none do',
    run: async (bench) => {
      const zip = bench.path('forms.zip')
      mustEnd(await bench.dataferry(['get', bench.file(SECOND.table), '--bundle', '-o', zip]), 0)
      must((await readFile(zip)).subarray(0, 2).toString() === 'PK', 'it is no ZIP')
      const none = await bench.dataferry(['get', bench.file(FIRST.hello), '--bundle', '-o', bench.path('none.zip')])
      must(none.code !== 0, 'it was fetched', none)
    },
  },
]
