import { readFile, writeFile } from 'node:fs/promises'
import { must, mustEnd, type As, type Bench, type Ended } from '../bench.ts'
import type { Check } from '../check.ts'
import { FIRST, SECOND } from '../world.ts'

/** `get`, `url` and what stands before a file: restrictions, embargoes, guestbooks. */
export const SINGLE_FILES: readonly Check[] = [
  {
    name: 'get brings one file, and a range of it',
    run: async (bench) => {
      const hello = bench.file(FIRST.hello)
      await mustBring(bench, [hello], FIRST.hello.content)
      await mustBring(bench, [hello, '--range', '7-15'], 'Dataverse')
      await mustBring(bench, [hello, '--range', '7-'], 'Dataverse!\n')
    },
  },
  {
    name: 'the address that url prints gives the file to any tool',
    run: async (bench) => {
      const ended = await bench.dataferry(['url', bench.file(FIRST.hello)])
      mustEnd(ended, 0)
      const answer = await fetch(/^https?:\S+$/m.exec(ended.text)?.[0] ?? '')
      must((await answer.text()) === FIRST.hello.content, 'the address gives something else', ended)
    },
  },
  {
    name: 'a restricted file is denied to a guest in one sentence, and comes with a token',
    run: async (bench) => {
      mustBeDenied(await get(bench, [bench.file(SECOND.secret)]))
      await mustBring(bench, [bench.file(SECOND.secret)], SECOND.secret.content, 'admin')
    },
  },
  {
    name: 'an embargoed file is denied to a guest, and comes with a token',
    needs: ({ embargoed }) => embargoed !== undefined,
    run: async (bench) => {
      const id = String(bench.world.embargoed?.id)
      mustBeDenied(await get(bench, [id]))
      await mustBring(bench, [id], 'later', 'admin')
    },
  },
  {
    name: 'a guestbook is asked for by name, and its answers bring the file',
    needs: ({ booked }) => booked !== undefined,
    run: async (bench) => {
      const id = String(bench.world.booked?.files[0]?.id)
      const without = await get(bench, [id])
      must(without.code === 1 && /name, email/.test(without.text), 'it does not say what is asked', without)
      const answers = bench.path('answers.json')
      await writeFile(answers, '{"guestbookResponse": {"name": "dataferry", "email": "dataferry@example.org"}}')
      await mustBring(bench, [id, '--guestbook', answers], 'booked')
    },
  },
]

function get(bench: Bench, args: readonly string[], as: As = 'guest'): Promise<Ended> {
  return bench.dataferry(['get', ...args, '-e', 'overwrite', '-o', bench.path('got')], as)
}

async function mustBring(bench: Bench, args: readonly string[], content: string, as: As = 'guest'): Promise<void> {
  const ended = await get(bench, args, as)
  mustEnd(ended, 0)
  const got = await readFile(bench.path('got'), 'utf8')
  must(got === content, `it brought ${JSON.stringify(got)}`, ended)
}

function mustBeDenied(ended: Ended): void {
  mustEnd(ended, 1)
  must(/\(403\)/.test(ended.text) && !/\n {4}at /.test(ended.text), 'it is not said in a sentence', ended)
}
