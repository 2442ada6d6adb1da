import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { destinationUrl, openSink } from '../../src/sinks/open-sink.ts'

describe('a destination', () => {
  it.each([
    ['data', 'file:///home/a/data'],
    ['./data/', 'file:///home/a/data'],
    ['../b', 'file:///home/b'],
    ['/srv/data/', 'file:///srv/data'],
    ['file:///srv/data/', 'file:///srv/data'],
    ['FILE:///srv/./x/../data', 'file:///srv/data'],
    ['with space/é#?%', 'file:///home/a/with%20space/%C3%A9%23%3F%25'],
    ['doi:10.5072', 'file:///home/a/doi:10.5072'],
    ['/', 'file:///'],
  ])('reads %j as %j', (text, url) => {
    expect(destinationUrl(text, '/home/a')).toBe(url)
    expect(destinationUrl(url, '/elsewhere')).toBe(url)
  })

  it.each([
    '',
    '  ',
    'ftp://host/dir',
    'file://host/share',
    'file:///a%2Fb',
    'constructor://x',
    'http://',
    '/srv/.dataferry/b',
    's3://bucket/.dataferry',
  ])('refuses %j', (text) => {
    expect(() => destinationUrl(text, '/home/a')).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
  })

  it('opens as the sink for its scheme, and makes nothing', async () => {
    const sink = await openSink('some/where', { cwd: '/home/a' })
    expect(sink.url).toBe(pathToFileURL('/home/a/some/where').href)
    await sink.close()
  })

  it('names the schemes there are when it is refused', async () => {
    const refused = openSink('ftp://user:secret@host/dir')
    await expect(refused).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    await expect(refused).rejects.toThrow('file://')
    await expect(refused).rejects.not.toThrow('secret')
  })
})
