/** `doi:10.5072/FK2/ABC` → `https://doi.org/10.5072/FK2/ABC`; anything else that has no resolver as it is. */
export function pidUrl(pid: string): string {
  const [, protocol = '', rest = ''] = /^(doi|hdl):(.+)$/i.exec(pid) ?? []
  const resolver = { doi: 'https://doi.org', hdl: 'https://hdl.handle.net' }[protocol.toLowerCase()]
  return resolver === undefined ? pid : `${resolver}/${rest}`
}
