/** What the API takes for a new collection. */
export function collectionForm(alias: string): object {
  return {
    alias,
    name: `dataferry ${alias}`,
    dataverseContacts: [{ contactEmail: 'dataferry@example.org' }],
    dataverseSubjects: ['Other'],
    dataverseType: 'LABORATORY',
  }
}

/** What the API takes for a new dataset. */
export function datasetForm(title: string): object {
  const fields = [
    text('title', title),
    compound('author', text('authorName', 'dataferry')),
    compound('datasetContact', text('datasetContactEmail', 'dataferry@example.org')),
    compound('dsDescription', text('dsDescriptionValue', 'Made by npm run test:real, and removed by it.')),
    { typeName: 'subject', typeClass: 'controlledVocabulary', multiple: true, value: ['Other'] },
  ]
  const citation = { displayName: 'Citation Metadata', fields }
  // Without terms or a licence, whose names differ from place to place, nothing can be published.
  return { datasetVersion: { termsOfUse: 'For tests only.', metadataBlocks: { citation } } }
}

interface Field {
  readonly typeName: string
  readonly value: string
  readonly typeClass: 'primitive'
  readonly multiple: false
}

function text(typeName: string, value: string): Field {
  return { typeName, value, typeClass: 'primitive', multiple: false }
}

function compound(typeName: string, field: Field): object {
  return { typeName, typeClass: 'compound', multiple: true, value: [{ [field.typeName]: field }] }
}
