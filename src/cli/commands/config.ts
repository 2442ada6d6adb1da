import { SETTING_NAMES } from '../../config/about-settings.ts'
import type { Command } from '../command.ts'

/** `dataferry config`: the settings in force, and where each came from. */
export const command: Command = {
  examples: ['dataferry config', 'dataferry config --jobs 8 --json'],
  about:
    'A flag beats the environment, which beats the file, which beats the default. Tokens and passwords are hidden.',
  operands: [],
  settings: SETTING_NAMES,
  flags: [],
  run: async (context) => (await import('../actions/config.ts')).run(context),
}
