/** Every action, in the order of the help. */
export const ACCESS_ACTIONS = [
  { name: 'request', help: 'request access to a file', takesUsers: false },
  { name: 'list', help: 'list access requests', takesUsers: false },
  { name: 'grant', help: 'grant access', takesUsers: true },
  { name: 'reject', help: 'reject a request', takesUsers: true },
  { name: 'revoke', help: 'revoke access', takesUsers: true },
  { name: 'allow', help: 'let users request access to the files of a dataset', takesUsers: false },
  { name: 'permissions', help: 'what you may do with a file', takesUsers: false },
] as const
