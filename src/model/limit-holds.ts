/** Why a batch is on hold that its command has parked for all workers, as `status` shows it. */

/** A person gives the command again. */
export const BY_STOP_LIMIT = 'by a stop limit of its command'
/** The schedule gives it again by itself. */
export const BY_SCHEDULE = 'until its schedule goes on'
