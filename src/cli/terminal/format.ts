/** Numbers as people read them; the pages of the dashboard show them alike. */
export * from '../../model/format.ts'
