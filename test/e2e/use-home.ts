import { afterAll, beforeAll } from 'vitest'
import {
  controlOf,
  startDataverseProcess,
  type DataverseProcess,
  type ProcessOptions,
} from '../fakes/dataverse/process.ts'
import { makeHome, type Home } from './cli.ts'

/** One home for the tests of a file. Call at its top; what it returns can be used from `beforeAll` on. */
export function useHome(): Omit<Home, typeof Symbol.asyncDispose> {
  let home: Home
  beforeAll(async () => {
    home = await makeHome()
  })
  afterAll(() => home[Symbol.asyncDispose]())
  return {
    get folder() {
      return home.folder
    },
    get data() {
      return home.data
    },
    get env() {
      return home.env
    },
    start: (...args) => home.start(...args),
    run: (...args) => home.run(...args),
  }
}

/** The same with a stand-in. It ends before a home whose `useHome` was called before. */
export function useDataverse(options: ProcessOptions): Omit<DataverseProcess, 'close'> {
  let dataverse: DataverseProcess
  beforeAll(async () => {
    dataverse = await startDataverseProcess(options)
  })
  afterAll(() => dataverse.close())
  return {
    get url() {
      return dataverse.url
    },
    get storageUrl() {
      return dataverse.storageUrl
    },
    get pid() {
      return dataverse.pid
    },
    ...controlOf(() => dataverse.url),
  }
}
