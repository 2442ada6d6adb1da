import type { Command } from '../command.ts'
import { DESTINATION_SETTINGS, SERVER_SETTINGS } from '../shared-flags.ts'

/** `dataferry bag`: hands on what was fetched as BagIt bags, and checks and completes any bag. */
export const command: Command = {
  examples: [
    'dataferry bag climate --from ./mirror --to ./bags --zip',
    'dataferry bag doi:10.5072/FK2/ABCDEF --from ./data --to ./bags --profile aptrust --tar --info "Access: Institution"',
    'dataferry bag check ./bags/doi-10-5072-FK2-ABCDEFv-1-0.zip',
    'dataferry bag complete ./bags/holey --server https://demo.dataverse.org',
  ],
  about:
    'Makes a bag of each dataset version of a mirror, a batch or a PID, laid out as Dataverse’s own archiver does. Every byte is ' +
    'compared with what was fetched, and a bag shows under its name only when it is whole; bags that are there stay. ' +
    '`bag check` verifies any bag: a folder, a ZIP or a tar file. `bag complete` fetches what the fetch.txt of a bag names.',
  operands: [
    { name: 'what', help: 'a mirror, a batch, the PID of a dataset; or check, complete' },
    { name: 'bag', help: 'with check and complete: the bag', optional: true },
  ],
  // --profile is another thing here: the profile of the store comes from AWS_PROFILE.
  settings: [...DESTINATION_SETTINGS.filter((name) => name !== 's3Profile'), ...SERVER_SETTINGS],
  settingHelp: { destination: 'where the bags go: a folder or URL, which has to be given' },
  flags: [
    { flags: '--from <destination>', help: 'where the data is: a folder or URL that was given to --to before' },
    { flags: '--per <what>', help: 'a bag for each dataset (default), or one of the whole batch' },
    { flags: '--zip', help: 'each bag as a ZIP file, not as a folder' },
    { flags: '--tar', help: 'each bag as a tar file' },
    { flags: '--link', help: 'hard links in place of copies, where folder and data are on one disk' },
    {
      flags: '--profile <name>',
      help: 'what the archive asks for: dataverse, rda, aptrust, or a BagIt profile (JSON)',
    },
    { flags: '--algorithm <name>', help: 'md5, sha1, sha256 (default) or sha512; again for more', many: true },
    {
      flags: '--info <field>',
      help: 'a field of bag-info.txt, such as "Contact-Name: Ada"; again for more',
      many: true,
    },
    { flags: '--crate', help: 'describe the payload by an RO-Crate in it, with a page for people' },
    { flags: '--allow-missing', help: 'bag a dataset without files that could not be fetched, and list them in it' },
    { flags: '--offline', help: 'ask no server for metadata that is not kept with the data' },
  ],
  stop: {
    stopping: 'the bag in progress is dropped.',
    stopped: 'Run the same command again: bags that are there stay.',
  },
  run: async (context) => (await import('../actions/bag.ts')).run(context),
}
