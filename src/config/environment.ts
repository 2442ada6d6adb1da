/** Variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>

/** The environment of this process. Nothing else in the project reads `process.env`. */
export function environment(): Environment {
  return process.env
}

/** Variables whose values are secrets. */
export const SECRET_VARIABLES: readonly string[] = [
  'DATAVERSE_API_TOKEN',
  'DATAVERSE_KEY',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
]

/** Defaults of other people's variables: the AWS SDK would warn about Node 20 in every process that loads it. */
export function setEnvironmentDefaults(): void {
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true'
}
