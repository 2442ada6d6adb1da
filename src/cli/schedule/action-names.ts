/** What `dataferry schedule` can do. */
export const SCHEDULE_ACTIONS = ['add', 'list', 'show', 'next', 'run', 'pause', 'continue', 'remove'] as const
