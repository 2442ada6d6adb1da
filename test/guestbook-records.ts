import type { StandIn } from './fakes/dataverse/server.ts'

type Keeper = Pick<StandIn, 'guestbookRecords'>

/** What a stand-in has on record of the guestbook of a dataset. */
export function guestbookRecords(server: Keeper, dataset: number): StandIn['guestbookRecords'] {
  return server.guestbookRecords.filter((record) => record.dataset === dataset)
}

/** The files of these records, in order of their ids. */
export function guestbookFiles(server: Keeper, dataset: number): readonly number[] {
  return guestbookRecords(server, dataset)
    .map(({ file }) => file)
    .sort((a, b) => a - b)
}
