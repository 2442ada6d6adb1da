/** One request as it was answered. */
export interface RequestRecord {
  /** Counts from 1 over the life of the server. */
  readonly seq: number
  readonly origin: 'dataverse' | 'storage'
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly file: number | undefined
  readonly range: string | undefined
  readonly userAgent: string | undefined
  readonly acceptEncoding: string | undefined
  /** Whether a token came along, by header, query, bearer or signed URL. */
  readonly hasToken: boolean
  /** Milliseconds, by the server's clock. */
  readonly at: number
  /** 0: reset before an answer. */
  status: number
  /** Body bytes handed to the network. */
  bytes: number
  /** The answer is over, in whichever way. */
  ended: boolean
  /** A download that the server would count. */
  counted: boolean
}

/** What happened to one file. */
export interface FileCounters {
  readonly requests: number
  readonly counted: number
  readonly bytes: number
}

/** The newest requests, and sums for each file in 16 bytes a file. */
export class Records {
  readonly #keep: number
  /** The record with number `seq` lies at `seq % keep`. */
  #ring: RequestRecord[] = []
  #seq = 0
  #requests = new Uint32Array(1024)
  #counted = new Uint32Array(1024)
  #bytes = new Float64Array(1024)
  /** Credentials that reached the storage host. */
  leaks = 0

  constructor(keep: number) {
    this.#keep = keep
  }

  start(record: Omit<RequestRecord, 'seq' | 'status' | 'bytes' | 'ended' | 'counted'>): RequestRecord {
    this.#seq += 1
    const made = Object.assign(record, { seq: this.#seq, status: 0, bytes: 0, ended: false, counted: false })
    this.#ring[this.#seq % this.#keep] = made
    if (record.file !== undefined) this.#bump(record.file)
    return made
  }

  count(record: RequestRecord, file: number): void {
    record.counted = true
    this.#reserve(file)
    this.#counted[file] = (this.#counted[file] ?? 0) + 1
  }

  sent(record: RequestRecord, bytes: number): void {
    record.bytes += bytes
    if (record.file !== undefined) this.#bytes[record.file] = (this.#bytes[record.file] ?? 0) + bytes
  }

  /** Requests over the life of the server. */
  get total(): number {
    return this.#seq
  }

  /** The newest requests, oldest first; those after `seq` only, when given. */
  list(after = 0): readonly RequestRecord[] {
    return this.#ring.filter(({ seq }) => seq > after).sort((a, b) => a.seq - b.seq)
  }

  file(id: number): FileCounters {
    return { requests: this.#requests[id] ?? 0, counted: this.#counted[id] ?? 0, bytes: this.#bytes[id] ?? 0 }
  }

  /** Forgets everything but the running number. */
  clear(): void {
    this.#ring = []
    this.#requests.fill(0)
    this.#counted.fill(0)
    this.#bytes.fill(0)
    this.leaks = 0
  }

  #bump(file: number): void {
    this.#reserve(file)
    this.#requests[file] = (this.#requests[file] ?? 0) + 1
  }

  #reserve(file: number): void {
    if (file < this.#requests.length) return
    const length = Math.max(file + 1, this.#requests.length * 2)
    const [requests, counted, bytes] = [this.#requests, this.#counted, this.#bytes]
    this.#requests = new Uint32Array(length)
    this.#counted = new Uint32Array(length)
    this.#bytes = new Float64Array(length)
    this.#requests.set(requests)
    this.#counted.set(counted)
    this.#bytes.set(bytes)
  }
}
