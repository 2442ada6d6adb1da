import { must, mustEnd, records, type Bench, type Ended } from '../bench.ts'
import type { Check } from '../check.ts'
import { RELEASED, type Released } from '../world.ts'

/** Datasets that are found rather than named. */
export const FINDING: readonly Check[] = [
  {
    name: 'a collection means the released datasets in it and within',
    needs: ({ searchable }) => searchable,
    run: (bench) => mustFind(bench, ['--collection', bench.world.alias]),
  },
  {
    name: 'a search means the datasets that it finds',
    needs: ({ searchable }) => searchable,
    run: (bench) => mustFind(bench, ['--query', `title:"${bench.world.alias}"`]),
  },
  {
    name: 'a search within a collection means what is in both',
    needs: ({ searchable }) => searchable,
    run: (bench) => mustFind(bench, ['--collection', `${bench.world.alias}-within`, '--query', '*'], ['counted']),
  },
  {
    name: 'the address of a collection is walked with --recursive, where what was deaccessioned is named',
    run: async (bench) => {
      const ended = await find(bench, [`${bench.url}/dataverse/${bench.world.alias}`, '--recursive'])
      mustEnd(ended, 1)
      const [gone, ...files] = records(ended)
        .filter(({ event }) => event === 'file')
        .sort(unplannableFirst)
      must(gone?.['code'] === 'SOURCE_DEACCESSIONED', 'the deaccessioned dataset is not named', ended)
      mustBe(files.length, bench, RELEASED, ended)
    },
  },
  {
    name: 'without --recursive a collection is named as not taken',
    run: async (bench) => {
      const ended = await find(bench, [`${bench.url}/dataverse/${bench.world.alias}`])
      must(ended.code !== 0 && /--recursive/.test(ended.text), 'it is not said', ended)
    },
  },
]

function find(bench: Bench, args: readonly string[]): Promise<Ended> {
  return bench.dataferry(['plan', ...args, '--list', '--json', '--new', '--to', bench.path('found')])
}

function unplannableFirst(a: Listed, b: Listed): number {
  return Number('code' in b) - Number('code' in a)
}

type Listed = ReturnType<typeof records>[number]

/** That exactly the files of these datasets are planned. */
async function mustFind(bench: Bench, args: readonly string[], names: readonly Released[] = RELEASED): Promise<void> {
  const ended = await find(bench, args)
  mustEnd(ended, 0)
  mustBe(records(ended).filter(({ event }) => event === 'file').length, bench, names, ended)
}

function mustBe(count: number, { world }: Bench, names: readonly Released[], ended: Ended): void {
  const wanted = names.flatMap((name) => world[name]?.files ?? []).length
  must(count === wanted, `${count} files were planned, not ${wanted}`, ended)
}
