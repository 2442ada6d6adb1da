import type { LoadedConfig } from '../../config/config.ts'
import { aboutSetting, SETTING_NAMES, type SettingName } from '../../config/about-settings.ts'
import type { Settings } from '../../config/settings.ts'
import type { Source } from '../../config/tokens.ts'
import type { Command } from '../command.ts'

/** What `dataferry config` does. */
export const run: Command['run'] = ({ config, out }) => {
  for (const row of rows(config)) out.record({ event: 'setting', ...row })
  out.table(
    [{ title: 'SETTING' }, { title: 'VALUE' }, { title: 'FROM' }],
    rows(config).map(({ name, value, source, unit }) => [
      { text: name },
      { text: [shown(value), value === null ? undefined : unit].filter(Boolean).join(' ') },
      { text: source.name, tone: source.kind === 'default' ? 'dim' : 'plain' },
    ]),
  )
  return Promise.resolve(0)
}

interface Row {
  readonly name: string
  /** As JSON shows it: secrets hide themselves. */
  readonly value: Settings[SettingName] | null
  readonly unit?: string | undefined
  readonly source: Source
}

function rows(config: LoadedConfig): Row[] {
  const settings = SETTING_NAMES.map((name) => ({
    name,
    value: config.settings[name] ?? null,
    unit: aboutSetting(name).unit,
    source: config.sourceOf(name),
  }))
  const tokens = config.tokens.servers.flatMap((server) => {
    const source = config.tokens.sourceOf(server)
    return source ? [{ name: `token of ${server}`, value: '[hidden]', source }] : []
  })
  return [...settings, ...tokens]
}

function shown(value: Row['value']): string {
  if (value === null || value === undefined) return '-'
  if (Array.isArray(value)) return value.join(' ') || '-'
  return String(value)
}
