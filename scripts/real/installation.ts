import { setTimeout } from 'node:timers/promises'
import { z } from 'zod'

/** What a check or the world needs of an installation beside dataferry: its API, mostly as a superuser. */
export class Installation {
  /** Without a slash at its end. */
  readonly url: string
  readonly token: string

  constructor(url: string, token: string) {
    this.url = url.replace(/\/+$/, '')
    this.token = token
  }

  /** The `data` of an answer. Rejects with what the server said. */
  async call<T>(method: string, path: string, data: z.ZodType<T>, body?: unknown): Promise<T> {
    const parsed = z.looseObject({ data }).safeParse(JSON.parse(await this.text(method, path, body)))
    if (!parsed.success) throw new Error(`${method} ${path}: an answer of another form: ${parsed.error.message}`)
    return parsed.data.data
  }

  /** An answer as it came, for the superuser or a guest. Rejects with what the server said. */
  async text(method: string, path: string, body?: unknown, as: 'admin' | 'guest' = 'admin'): Promise<string> {
    const headers = new Headers(as === 'admin' ? { 'X-Dataverse-key': this.token } : {})
    const init: RequestInit = { method, headers }
    if (body instanceof FormData) init.body = body
    else if (body !== undefined) {
      init.body = typeof body === 'string' ? body : JSON.stringify(body)
      headers.set('Content-Type', 'application/json')
    }
    const answer = await fetch(`${this.url}/api/${path}`, init)
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 300)}`)
    return text
  }

  /** Adds a file to a draft; resolves to its id once it is ingested, where it is a table. */
  async addFile(dataset: number, { name, content, directory, type, restrict = false }: NewFile): Promise<number> {
    const form = new FormData()
    form.set('file', new File([content], name, { type: type ?? 'application/octet-stream' }))
    // Servers may read the file name in the form as Latin-1, but not the label.
    const about = {
      label: name,
      restrict: String(restrict),
      ...(directory !== undefined && { directoryLabel: directory }),
    }
    form.set('jsonData', JSON.stringify(about))
    const added = z.object({ files: z.tuple([z.object({ dataFile: WITH_ID })]) })
    const { files } = await this.call('POST', `datasets/${dataset}/add`, added, form)
    await this.#settled(dataset)
    return files[0].dataFile.id
  }

  /** Publishes a draft; resolves once that is done. */
  async publish(dataset: number): Promise<void> {
    await this.call('POST', `datasets/${dataset}/actions/:publish?type=major`, z.unknown())
    await this.#settled(dataset)
  }

  /** How often a file was downloaded, as the installation counts. */
  async downloads(file: number): Promise<number> {
    const { message } = await this.call('GET', `files/${file}/downloadCount`, z.object({ message: z.coerce.number() }))
    return message
  }

  /** Waits until nothing is being ingested or published any more. */
  async #settled(dataset: number): Promise<void> {
    const locked = await eventually(
      () => this.call('GET', `datasets/${dataset}/locks`, z.array(z.unknown())),
      (locks) => locks.length === 0,
    )
    if (locked.length > 0) throw new Error(`Dataset ${dataset} is still locked after two minutes.`)
  }
}

export const WITH_ID = z.object({ id: z.number() })

export interface NewFile {
  readonly name: string
  readonly content: string | Uint8Array<ArrayBuffer>
  readonly directory?: string
  readonly type?: string
  readonly restrict?: boolean
}

/** Looks once a second until what is seen is good, for two minutes at most. @returns what was seen last */
export async function eventually<T>(look: () => Promise<T>, good: (seen: T) => boolean): Promise<T> {
  let seen = await look()
  for (let second = 0; second < 120 && !good(seen); second++) {
    await setTimeout(1000)
    seen = await look()
  }
  return seen
}
