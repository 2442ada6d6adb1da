import { join } from 'node:path'
import { DIGESTS, type DigestAlgorithm } from '../src/model/checksum.ts'
import { dataferryOptions, toolOptions, type Bench } from './bench.ts'
import { contest, type Contender, type Result } from './contest.ts'
import { dataferry } from './dataferry.ts'
import { cleanIn } from './large.ts'
import { emit, report, say, standings } from './output.ts'
import { scratch } from './scratch.ts'
import { startServer } from './stand-in.ts'
import { shell } from './tools.ts'

const MIB = 1024 * 1024
/** A line of about a gigabit, in bytes a second. */
const LINE = 100 * MIB
/** The same bytes, for the tools that take a digest of a file. */
const COPY = 'the same bytes'
const PLAIN = 'dataferry'
const withDigest = (algorithm: DigestAlgorithm): string => `dataferry --digest ${algorithm}`
const toolOf = (algorithm: DigestAlgorithm): string => `${algorithm}sum`

/** What a second digest adds: processor time beside the usual tools on the same bytes, and seconds on a line that is the limit. */
export async function digest(bench: Bench): Promise<void> {
  const { options, signal } = bench
  await using folder = await scratch(options.size * 2.2, options.dir)
  const mib = options.size / MIB
  say(`digest: ${mib} MiB to ${folder.path}${folder.memory ? ' (in memory)' : ''}`)
  await using server = await startServer({ world: `big:${options.size},1` })
  const [file] = await server.files(signal)
  if (!file) throw new Error('The stand-in does not list its file.')
  const clean = cleanIn(folder.path)
  const fetching = (name: string, digests: readonly DigestAlgorithm[]): Contender => ({
    name,
    run: () =>
      clean((to) => {
        const flags = digests.flatMap((algorithm) => ['--digest', algorithm])
        const args = ['run', String(file.id), '--server', server.url, '--to', join(to, 'data'), '-q', ...flags]
        return dataferry(args, dataferryOptions(bench, to))
      }),
  })
  const contenders = [fetching(PLAIN, []), ...DIGESTS.map((algorithm) => fetching(withDigest(algorithm), [algorithm]))]
  const inFolder = toolOptions(bench, folder.path)
  await shell(`curl --fail --silent --show-error --output "${COPY}" "$1"`, [file.url], inFolder)
  const tools = DIGESTS.map((algorithm): Contender => {
    return { name: toolOf(algorithm), run: () => shell(`${algorithm}sum "${COPY}"`, [], inFolder) }
  })
  const about = { benchmark: 'digest', mib, inMemory: folder.memory }
  const title = `A second digest of one file of ${mib} MiB`
  const unlimited = await contest([...contenders, ...tools], options.repeat)
  report({ title, unit: 'MiB/s', amount: mib }, standings(unlimited, mib), { ...about, part: 'processor' })

  await server.set({ bytesPerSecond: LINE })
  const limited = await contest(contenders, options.repeat)
  const onLine = { ...about, part: 'line', bytesPerSecond: LINE }
  report(
    { title: `${title}, on a line of ${LINE / MIB} MiB/s`, unit: 'MiB/s', amount: mib },
    standings(limited, mib),
    onLine,
  )
  for (const algorithm of DIGESTS) tell(algorithm, unlimited, limited, about)
}

function tell(
  algorithm: DigestAlgorithm,
  unlimited: readonly Result[],
  limited: readonly Result[],
  about: Readonly<Record<string, unknown>>,
): void {
  const cpu = (name: string): number => unlimited.find((one) => one.name === name)?.cpuSeconds ?? NaN
  const seconds = (name: string): number => limited.find((one) => one.name === name)?.seconds ?? NaN
  const added = cpu(withDigest(algorithm)) - cpu(PLAIN)
  const ofTool = added / cpu(toolOf(algorithm))
  const onLine = seconds(withDigest(algorithm)) / seconds(PLAIN)
  emit({ ...about, algorithm, addedCpuSeconds: added, ofTool, secondsOnLine: onLine })
  say(
    `  ${algorithm}: ${added.toFixed(2)} s of processor time added, ${ofTool.toFixed(2)} of ${toolOf(algorithm)}; ` +
      `on the line ${onLine.toFixed(2)} of the time without`,
  )
}
