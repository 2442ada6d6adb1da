import { appendFileSync, readdirSync } from 'node:fs'
import { queryObjects, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * Loaded into processes by NODE_OPTIONS. At SIGUSR2 one collects its garbage, and appends to the file MEMORY_LOG what is left: bytes
 * of its heap and of the whole process, how many objects there are, and how many files it has open.
 */
setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc')

process.on('SIGUSR2', () => {
  collect()
  const { heapUsed: heap, rss } = process.memoryUsage()
  const objects = queryObjects(Object, { format: 'count' })
  const files = readdirSync('/proc/self/fd').length
  appendFileSync(process.env.MEMORY_LOG, `${JSON.stringify({ pid: process.pid, heap, rss, objects, files })}\n`)
})
