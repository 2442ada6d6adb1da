import { readFile } from 'node:fs/promises'
import { z } from 'zod'

/**
 * Draws the comparisons of one or several result files as bars: `npm run -s bench:chart -- results.ndjson > chart.svg`.
 * Longer is better; every group has a scale of its own, as only its bars were measured side by side.
 */
const standingSchema = z.object({
  title: z.string().max(200),
  unit: z.enum(['MiB/s', 'files/s']),
  name: z.string().max(60),
  perSecond: z.number().positive(),
  'CPU s/GiB': z.number().optional(),
  'CPU ms/file': z.number().optional(),
})
type Standing = z.infer<typeof standingSchema>

/** It shows what the server can deliver, and brings nothing home. */
const NO_PEER = 'curl to nowhere'

const WIDTH = 820
const LABELS = 210
const BAR = 14
const LINE = 22
const TITLE = 34
/** Room for the figures behind the longest bar. */
const FIGURES = 235

const STYLE = `text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600 } .figures { fill: #57606a } .bar { fill: #b6c2cf } .own { fill: #1769aa }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .figures { fill: #9aa7b4 } .bar { fill: #465362 } .own { fill: #4aa3e8 }
}`

export function chart(lines: readonly string[]): string {
  const rows = lines.map((line) => standingSchema.safeParse(JSON.parse(line))).flatMap(({ data }) => data ?? [])
  const titles = [...new Set(rows.map(({ title }) => title))]
  const drawn: string[] = []
  let y = 0
  for (const title of titles) {
    const bars = rows.filter((row) => row.title === title && row.name !== NO_PEER)
    y += TITLE
    drawn.push(`<text class="title" x="0" y="${y - 12}">${escaped(title)}</text>`)
    const longest = Math.max(...bars.map(({ perSecond }) => perSecond))
    for (const bar of bars) {
      drawn.push(...draw(bar, y, ((WIDTH - LABELS - FIGURES) * bar.perSecond) / longest))
      y += LINE
    }
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + 4}" role="img" aria-label="dataferry beside its peers: rates, longer bars are better">
<style>${STYLE}</style>
${drawn.join('\n')}
</svg>
`
}

function draw(bar: Standing, y: number, length: number): string[] {
  const own = bar.name.startsWith('dataferry') ? 'own' : 'bar'
  const baseline = y + BAR - 3
  return [
    `<text x="${LABELS - 8}" y="${baseline}" text-anchor="end">${escaped(bar.name)}</text>`,
    `<rect class="${own}" x="${LABELS}" y="${y}" width="${length.toFixed(1)}" height="${BAR}" rx="2"/>`,
    `<text class="figures" x="${(LABELS + length + 8).toFixed(1)}" y="${baseline}">${escaped(figures(bar))}</text>`,
  ]
}

function figures({ perSecond, unit, ...cpu }: Standing): string {
  const rate = `${Math.round(perSecond).toLocaleString('en')} ${unit}`
  if (cpu['CPU s/GiB'] !== undefined) return `${rate}, ${cpu['CPU s/GiB'].toFixed(1)} CPU s a GiB`
  if (cpu['CPU ms/file'] !== undefined) return `${rate}, ${cpu['CPU ms/file'].toFixed(2)} CPU ms a file`
  return rate
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

if (import.meta.filename === process.argv[1]) {
  const files = await Promise.all(process.argv.slice(2).map((file) => readFile(file, 'utf8')))
  process.stdout.write(chart(files.flatMap((text) => text.split('\n').filter((line) => line !== ''))))
}
