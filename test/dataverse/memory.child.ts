import { DataAccessApi } from '../../src/index.ts'

/** Reads file 1 of the server that it is given to the end, and says how much memory that took at most. */
const api = new DataAccessApi({ baseUrl: process.argv[2] ?? '' })
let size = 0
for await (const chunk of await api.streamDatafile(1)) size += chunk.length
await api.close()
process.send?.({ size, maxRss: process.resourceUsage().maxRSS * 1024 })
process.disconnect()
