/** The write side of an installation's API, as a superuser. */
export class Installation {
  readonly #url: string
  readonly #token: string

  constructor(url: string, token: string) {
    this.#url = url.replace(/\/+$/, '')
    this.#token = token
  }

  /** The `data` of an answer. Rejects with what the server said. */
  async call(method: string, path: string, body?: unknown): Promise<Readonly<Record<string, unknown>>> {
    const headers: Record<string, string> = { 'X-Dataverse-key': this.#token }
    const init: RequestInit = { method, headers }
    if (body instanceof FormData) init.body = body
    else if (body !== undefined) {
      init.body = typeof body === 'string' ? body : JSON.stringify(body)
      headers['Content-Type'] = 'application/json'
    }
    const answer = await fetch(`${this.#url}/api/${path}`, init)
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 300)}`)
    const parsed: unknown = JSON.parse(text)
    const data: unknown = typeof parsed === 'object' && parsed !== null && 'data' in parsed ? parsed.data : undefined
    return typeof data === 'object' && data !== null ? { ...data } : {}
  }

  /** Adds a file; resolves to its id. */
  async addFile(dataset: number, file: NewFile): Promise<number> {
    const form = new FormData()
    form.set('file', new File([file.content], file.name, { type: file.type ?? 'application/octet-stream' }))
    const { directory, restrict = false } = file
    form.set(
      'jsonData',
      JSON.stringify({ restrict: String(restrict), ...(directory && { directoryLabel: directory }) }),
    )
    const { files } = await this.call('POST', `datasets/${dataset}/add`, form)
    const id = /"id":(\d+)/.exec(
      JSON.stringify(Array.isArray(files) ? (files[0] as { dataFile: unknown }).dataFile : 0),
    )
    return Number(id?.[1])
  }

  /** Waits until nothing is being ingested or published any more. */
  async settled(dataset: number): Promise<void> {
    for (let turn = 0; turn < 120; turn++) {
      if (Object.keys(await this.call('GET', `datasets/${dataset}/locks`)).length === 0) return
      await new Promise((resolve) => setTimeout(resolve, 1000))
    }
    throw new Error(`Dataset ${dataset} is still locked after two minutes.`)
  }
}

export interface NewFile {
  readonly name: string
  readonly content: string
  readonly directory?: string
  readonly type?: string
  readonly restrict?: boolean
}
