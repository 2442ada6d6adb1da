/** Version of dataferry, sent to servers in the User-Agent; a test keeps it in step with package.json. */
export const DATAFERRY_VERSION = '0.1.0'
