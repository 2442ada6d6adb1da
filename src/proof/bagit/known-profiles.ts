import type { Profile } from './profile.ts'

const required = { required: true } as const

/**
 * The bag that Dataverse's own archiver writes.
 * @see BagGenerator.java of IQSS/dataverse, generateBag and generateInfoFile
 */
const dataverse: Profile = {
  'Bag-Info': {
    'Source-Organization': required,
    'Organization-Address': required,
    'Organization-Email': required,
    'External-Description': required,
    'Bagging-Date': required,
    'External-Identifier': required,
    'Bag-Size': required,
    'Payload-Oxum': required,
    'Internal-Sender-Identifier': required,
    'Dataverse-Bag-Version': required,
  },
  'Tag-Files-Required': ['metadata/oai-ore.jsonld', 'metadata/datacite.xml', 'metadata/pid-mapping.txt'],
  Serialization: 'required',
  'Accept-Serialization': ['application/zip'],
  'Accept-BagIt-Version': ['1.0'],
}

/** @see RDAResearchDataRepositoryInteropWG/bagit-profiles, generic/0.1 (doi:10.15497/RDA00025) */
const rda: Profile = {
  'BagIt-Profile-Info': {
    'BagIt-Profile-Identifier':
      'https://raw.githubusercontent.com/RDAResearchDataRepositoryInteropWG/bagit-profiles/master/generic/0.1/profile.json',
  },
  'Bag-Info': {
    'Bagging-Date': required,
    'Contact-Email': required,
    'External-Description': required,
    'Bag-Size': required,
    'Payload-Oxum': required,
  },
  'Manifests-Required': ['sha256'],
  'Tag-Manifests-Required': ['sha256'],
  'Tag-Files-Required': ['metadata/datacite.xml'],
  'Allow-Fetch.txt': true,
  Serialization: 'optional',
  'Accept-Serialization': ['application/zip', 'application/tar', 'application/tar+gzip'],
  'Accept-BagIt-Version': ['0.97'],
}

/** @see the depositing page of APTrust's user guide: what ingest checks */
const aptrust: Profile = {
  'BagIt-Profile-Info': {
    'BagIt-Profile-Identifier':
      'https://raw.githubusercontent.com/APTrust/preservation-services/master/profiles/aptrust-v2.2.json',
  },
  'Bag-Info': { 'Source-Organization': required, 'Bagging-Date': {}, 'Bag-Group-Identifier': {} },
  'Tag-Files-Info': {
    'aptrust-info.txt': {
      Title: required,
      Access: { required: true, values: ['Consortia', 'Institution', 'Restricted'] },
      Description: {},
      'Storage-Option': {
        values: [
          'Standard',
          'Glacier-OH',
          'Glacier-OR',
          'Glacier-VA',
          'Glacier-Deep-OH',
          'Glacier-Deep-OR',
          'Glacier-Deep-VA',
          'Wasabi-OR',
          'Wasabi-VA',
        ],
      },
    },
  },
  'Manifests-Required': ['md5'],
  'Manifests-Allowed': ['md5', 'sha256'],
  'Tag-Manifests-Allowed': ['md5', 'sha256'],
  'Tag-Files-Required': ['aptrust-info.txt'],
  'Allow-Fetch.txt': false,
  Serialization: 'required',
  'Accept-Serialization': ['application/tar'],
  'Accept-BagIt-Version': ['0.97', '1.0'],
}

/** Profiles that need no file. */
export const KNOWN_PROFILES: ReadonlyMap<string, Profile> = new Map([
  ['dataverse', dataverse],
  ['rda', rda],
  ['aptrust', aptrust],
])
