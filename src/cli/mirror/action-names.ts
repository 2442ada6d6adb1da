/** What `dataferry mirror` can do. */
export const MIRROR_ACTIONS = ['create', 'run', 'status', 'changes', 'list', 'prune', 'purge'] as const
