import { MemoryLedger } from '../../src/ledger/memory-ledger.ts'
import { describeLedger } from '../contracts/ledger.ts'

describeLedger('the ledger in memory', () => new MemoryLedger())
