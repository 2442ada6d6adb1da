import { environment } from '../../config/environment.ts'
import { readSecret } from '../../config/notify.ts'
import { mail } from '../../notify/mail.ts'
import type { NotifyTarget } from '../../notify/target.ts'
import { webhook } from '../../notify/webhook.ts'
import type { Context } from '../command.ts'

/** Everybody that the config file names, with their secrets. Throws `CONFIG_INVALID` where one is missing. */
export function notifyTargets({ config, out }: Pick<Context, 'config' | 'out'>): readonly NotifyTarget[] {
  const { notify, network } = config
  const secret = (place: Parameters<typeof readSecret>[0]): string | undefined =>
    readSecret(place, environment(), (text) => out.warn(text))
  const named = (notify?.webhooks ?? []).map((one, n) => {
    const target = webhook({ ...network, url: one.url, secret: secret(one.secret), kinds: one.events })
    return { target, key: `notify.webhooks.${n}` }
  })
  const isAmbiguous = (name: string): boolean => named.filter(({ target }) => target.name === name).length > 1
  const webhooks = named.map(({ target, key }) =>
    isAmbiguous(target.name) ? { ...target, name: `${target.name} (${key})` } : target,
  )
  if (!notify?.mail) return webhooks
  const { smtp, from, to, events: kinds, password } = notify.mail
  return [...webhooks, mail({ smtp, from, to, kinds, password: secret(password), ca: network.ca })]
}
