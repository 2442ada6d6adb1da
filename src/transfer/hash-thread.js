// @ts-check
// JavaScript, since Node.js 20 runs no TypeScript on a thread; still checked by the compiler.
import { createHash } from 'node:crypto'
import { parentPort } from 'node:worker_threads'
import { createMD5, createSHA1, createSHA256, createSHA512 } from 'hash-wasm'

/** The code of a hash thread: keeps running hashes by id and answers one request after the other. */

/** @typedef {import('./hash-protocol.ts').HashRequest} HashRequest */
/** @typedef {import('./hash-protocol.ts').HashReply} HashReply */
/** @typedef {import('./hash-protocol.ts').HashMade} HashMade */
/**
 * @typedef {{ kind: 'native', algorithm: string, hash: import('node:crypto').Hash }
 *   | { kind: 'saveable', algorithm: string, hash: import('hash-wasm').IHasher }} Running
 */

const CREATE_SAVEABLE = { md5: createMD5, sha1: createSHA1, sha256: createSHA256, sha512: createSHA512 }

/** @type {Map<number, Running>} */
const running = new Map()

/**
 * @param {HashMade} made
 * @returns {Promise<Running>}
 */
async function open(made) {
  if (made.kind === 'native') return { ...made, hash: createHash(made.algorithm) }
  const hash = await CREATE_SAVEABLE[made.algorithm]()
  return { ...made, hash: hash.init() }
}

/** @param {number} id */
function get(id) {
  const found = running.get(id)
  if (!found) throw new Error(`hash ${id} is not open`)
  return found
}

/**
 * @param {Running} entry
 * @param {Uint8Array} state
 */
function load(entry, state) {
  if (entry.kind === 'native') return false
  try {
    entry.hash.load(state)
    return true
  } catch {
    entry.hash.init()
    return false
  }
}

/**
 * @param {HashRequest} request
 * @returns {Promise<HashReply['value']>}
 */
async function answer(request) {
  if (request.op === 'open') {
    running.set(request.id, await open(request))
    return undefined
  }
  const entry = get(request.id)
  switch (request.op) {
    case 'update':
      entry.hash.update(new Uint8Array(request.memory, 0, request.length))
      return request.memory
    case 'digest':
      return entry.hash.digest('hex')
    case 'save':
      return entry.kind === 'saveable' ? entry.hash.save() : undefined
    case 'load':
      return load(entry, request.state)
    case 'reset':
      if (entry.kind === 'saveable') entry.hash.init()
      else entry.hash = createHash(entry.algorithm)
      return undefined
    case 'close':
      running.delete(request.id)
      return undefined
  }
}

/** Requests are answered in order. */
let queue = Promise.resolve()
parentPort?.on('message', (/** @type {HashRequest} */ request) => {
  const { call } = request
  queue = queue
    .then(() => answer(request))
    .then(
      (value) => parentPort?.postMessage({ call, value }, value instanceof ArrayBuffer ? [value] : []),
      (/** @type {unknown} */ error) =>
        parentPort?.postMessage({ call, error: error instanceof Error ? error.message : String(error) }),
    )
})
