import { describe, expect, it } from 'vitest'
import type { Filters } from '../../src/model/filters.ts'
import type { Format } from '../../src/model/item.ts'
import type { ListedFile } from '../../src/model/listing.ts'
import { fileFilter } from '../../src/plan/file-filter.ts'
import { listed } from './catalogue.ts'

const TABLE = listed(3, {
  label: 'table.tab',
  directory: 'raw/2024',
  size: 17,
  contentType: 'text/tab-separated-values',
  tabular: true,
  original: { name: 'table.dta', size: 1200, contentType: 'application/x-stata-14' },
})
const FILES: readonly ListedFile[] = [
  listed(1, { label: 'a.csv', size: 10, contentType: 'text/csv; charset=UTF-8' }),
  listed(2, { label: 'b.csv', directory: 'raw', size: 2000, contentType: 'text/csv' }),
  TABLE,
  listed(4, { label: 'Photo.JPG', directory: 'docs/raw', size: 5_000_000, contentType: 'image/jpeg' }),
  listed(5, { label: '.hidden', directory: 'raw/.git', contentType: 'application/octet-stream' }),
  JSON.parse(JSON.stringify({ ...listed(6), label: 'unknown.bin', size: undefined })) as ListedFile,
]

function passing(filters: Filters, format: Format = 'original'): number[] {
  const wanted = fileFilter(filters)
  return FILES.filter((file) => wanted(file, format)).map(({ id }) => id)
}

describe('filters', () => {
  it.each<[Filters, number[]]>([
    [{}, [1, 2, 3, 4, 5, 6]],
    [{ include: ['*.csv'] }, [1, 2]],
    [{ include: ['/*.csv'] }, [1]],
    [{ include: ['raw/*.csv'] }, [2]],
    [{ include: ['raw/**'] }, [2, 3, 5]],
    [{ include: ['raw/'] }, [2, 3, 4, 5]],
    [{ include: ['/raw/'] }, [2, 3, 5]],
    [{ include: ['docs/raw/'] }, [4]],
    [{ include: ['**/*.csv'] }, [1, 2]],
    [{ include: ['*.{csv,JPG}'] }, [1, 2, 4]],
    [{ include: ['*.jpg'] }, []],
    [{ include: ['*.tab'] }, [3]],
    [{ include: ['*.dta', 'a.*'] }, [1, 3]],
    [{ exclude: ['raw/**'] }, [1, 4, 6]],
    [{ exclude: ['.*'] }, [1, 2, 3, 4, 6]],
    [{ include: ['*.csv'], exclude: ['b.*'] }, [1]],
    [{ include: ['!a.csv'] }, []],
    [{ minSize: 1200 }, [2, 3, 4, 6]],
    [{ maxSize: 1999 }, [1, 3, 5, 6]],
    [{ minSize: 10, maxSize: 10 }, [1, 6]],
    [{ contentTypes: ['text/csv'] }, [1, 2]],
    [{ contentTypes: ['IMAGE/*'] }, [4]],
    [{ contentTypes: ['application/x-stata*'] }, [3]],
    [{ contentTypes: ['text/*'], include: ['raw/**'] }, [2, 3]],
  ])('%j leave %j', (filters, ids) => {
    expect(passing(filters)).toEqual(ids)
  })

  it('judge a table by the size of the form that comes', () => {
    expect(passing({ maxSize: 100 }, 'archival')).toContain(3)
    expect(passing({ maxSize: 100 }, 'original')).not.toContain(3)
  })
})
