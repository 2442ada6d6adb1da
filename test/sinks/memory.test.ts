import { killStages, memorySink, memoryStore } from '../../src/sinks/memory/memory-sink.ts'
import { describeSink } from '../contracts/sink.ts'

describeSink('memory', () => {
  const store = memoryStore()
  const sink = memorySink(store)
  const reopen = () => {
    killStages(store)
    return Promise.resolve(memorySink(store))
  }
  return Promise.resolve({ sink, reopen, close: () => sink.close() })
})
