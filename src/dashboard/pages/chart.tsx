import { useEffect, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import { formatBytes, formatCount } from '../../model/format.ts'
import type { SeriesView } from '../api/schemas.ts'
import { useAnswer } from './live.ts'
import { Card } from './parts.tsx'

const SPANS = ['hour', 'day'] as const
const HEIGHT = 150
const REFRESH_MS = 10_000

/** Bytes and files a second, of the last hour or day. */
export function Charts() {
  const [span, setSpan] = useState<(typeof SPANS)[number]>('hour')
  const { state } = useAnswer<SeriesView>(`/api/history?span=${span}`, REFRESH_MS)
  const choice = (
    <div class="choice" role="group" aria-label="Time span">
      {SPANS.map((one) => (
        <button key={one} type="button" aria-pressed={one === span} onClick={() => setSpan(one)}>
          Last {one}
        </button>
      ))}
    </div>
  )
  return (
    <Card title="Throughput" aside={choice} class="charts">
      <div class="chart-pair">
        <Chart
          name="Data per second"
          color="--accent"
          times={state?.times}
          values={state?.bytes}
          format={(value) => formatBytes(value)}
        />
        <Chart
          name="Files per second"
          color="--good"
          times={state?.times}
          values={state?.files}
          format={(value) => rateText(value)}
        />
      </div>
    </Card>
  )
}

function rateText(value: number): string {
  return value > 0 && value < 10 ? value.toFixed(1) : formatCount(value)
}

interface ChartProps {
  readonly name: string
  /** A colour of the style sheet. */
  readonly color: string
  readonly times: readonly number[] | undefined
  readonly values: readonly (number | null)[] | undefined
  readonly format: (value: number) => string
}

function Chart({ name, color, times = [], values = [], format }: ChartProps) {
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | undefined>(undefined)
  const scheme = useScheme()
  const known = values.filter((value) => value !== null)
  const most = Math.max(0, ...known)
  const now = known.at(-1) ?? 0
  useEffect(() => {
    const box = place.current
    if (!box) return undefined
    const made = new uPlot(optionsFor(box, color, format), [[], []], box)
    plot.current = made
    const fit = new ResizeObserver(() => made.setSize({ width: box.clientWidth, height: HEIGHT }))
    fit.observe(box)
    return () => {
      fit.disconnect()
      made.destroy()
      plot.current = undefined
    }
  }, [scheme, color])
  useEffect(() => {
    // Nobody looked before: the chart begins with what is known.
    const first = Math.max(0, values.findIndex((value) => value !== null) - 1)
    plot.current?.setData([times.slice(first), values.slice(first)])
  }, [times, values, scheme])
  return (
    <figure>
      <figcaption>
        <span>{name}</span>
        <span class="quiet">
          now {format(now)}, at most {format(most)}
        </span>
      </figcaption>
      <div ref={place} class="chart" role="img" aria-label={`${name}: now ${format(now)}, at most ${format(most)}.`} />
    </figure>
  )
}

function optionsFor(box: HTMLElement, color: string, format: (value: number) => string): uPlot.Options {
  const style = getComputedStyle(box)
  const of = (name: string): string => style.getPropertyValue(name).trim()
  const axis = {
    stroke: of('--quiet'),
    font: '11px system-ui, sans-serif',
    ticks: { show: false },
    grid: { stroke: of('--line'), width: 1 },
  }
  return {
    width: box.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    padding: [8, 4, 0, 0],
    scales: { y: { range: (_, __, max) => [0, Math.max(1, max * 1.1)] } },
    axes: [
      {
        ...axis,
        grid: { show: false },
        space: 70,
        values: (_, splits) => splits.map((at) => clockText(at, (splits[1] ?? 0) - (splits[0] ?? 0))),
      },
      { ...axis, size: 64, values: (_, splits) => splits.map((value) => format(value)) },
    ],
    series: [{}, { stroke: of(color), width: 1.5, fill: `${of(color)}26`, points: { show: false }, spanGaps: false }],
  }
}

/** @param step seconds from one label to the next */
function clockText(seconds: number, step: number): string {
  const parts = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const
  return new Date(seconds * 1_000).toLocaleTimeString([], step < 60 ? { ...parts, second: '2-digit' } : parts)
}

/** Charts are drawn with the colours of the moment. */
function useScheme(): boolean {
  const query = matchMedia('(prefers-color-scheme: dark)')
  const [isDark, setDark] = useState(query.matches)
  useEffect(() => {
    const changed = (): void => setDark(query.matches)
    query.addEventListener('change', changed)
    return () => query.removeEventListener('change', changed)
  }, [])
  return isDark
}
