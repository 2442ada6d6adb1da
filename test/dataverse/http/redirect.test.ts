import { describe, expect, it } from 'vitest'
import { Installation, type InstallationOptions } from '../../../src/dataverse/installation.ts'
import { isElsewhere, nextHop } from '../../../src/dataverse/http/redirect.ts'
import { fileRoute } from '../../../src/dataverse/route.ts'
import { bytesOf, scriptedServer, sendFile } from '../scripted-server.ts'

const TOKEN = 'secret-token-1234'

async function withInstallation<T>(options: InstallationOptions, work: (it: Installation) => Promise<T>): Promise<T> {
  const installation = new Installation(options)
  try {
    return await work(installation)
  } finally {
    await installation.close()
  }
}

describe('redirects', () => {
  it.each(['apiToken', 'bearerToken'])(
    'the %s goes to the configured origin alone, through two hops and back',
    async (kind) => {
      await using home = await scriptedServer((request, response) => {
        if (request.url.startsWith('/back')) sendFile(response, 'bytes')
        else response.writeHead(303, { location: `${storage.url}/first?sig=1`, 'set-cookie': 'JSESSIONID=1' }).end()
      })
      await using second = await scriptedServer((_, response) => {
        response.writeHead(307, { location: `${home.url}/back` }).end()
      })
      await using storage = await scriptedServer((_, response) => {
        response.writeHead(302, { location: `${second.url}/second` }).end()
      })
      await withInstallation({ baseUrl: home.url, [kind]: TOKEN }, async (installation) => {
        const answer = await installation.send({
          route: fileRoute(42),
          query: [['format', 'original']],
          range: 'bytes=5-',
        })
        expect((await bytesOf(answer.body.batches())).toString()).toBe('bytes')
        // What the other host sends us back to is its wish, so no token there either.
        expect(answer).toMatchObject({ status: 200, authenticated: false, elsewhere: false })
      })
      const carried = [...home.seen, ...storage.seen, ...second.seen].map(({ headers }) =>
        JSON.stringify(headers).includes(TOKEN),
      )
      expect(carried).toEqual([true, false, false, false])
      expect(storage.seen[0]).toMatchObject({
        url: '/first?sig=1',
        headers: { range: 'bytes=5-', 'accept-encoding': 'identity' },
      })
      expect(second.seen[0]?.url).toBe('/second')
      expect([...storage.seen, ...second.seen, ...home.seen].map(({ headers }) => headers.cookie)).toEqual(
        Array(4).fill(undefined),
      )
    },
  )

  it('a redirect within the origin keeps the token', async () => {
    await using home = await scriptedServer((request, response) => {
      if (request.url === '/moved') sendFile(response, 'bytes')
      else response.writeHead(301, { location: '/moved' }).end()
    })
    await withInstallation({ baseUrl: home.url, apiToken: TOKEN }, async (installation) => {
      const answer = await installation.send({ route: fileRoute(42) })
      expect((await bytesOf(answer.body.batches())).toString()).toBe('bytes')
    })
    expect(home.seen.map(({ headers }) => headers['x-dataverse-key'])).toEqual([TOKEN, TOKEN])
  })

  it('more than eight hops are given up', async () => {
    await using home = await scriptedServer((request, response) => {
      response.writeHead(302, { location: `${request.url}x` }).end()
    })
    await withInstallation({ baseUrl: home.url }, async (installation) => {
      await expect(installation.send({ route: fileRoute(1) })).rejects.toMatchObject({ code: 'SOURCE_UNEXPECTED' })
    })
    expect(home.seen.length).toBe(9)
  })

  it('nothing goes on http after https, and never where a URL does not lead to http', () => {
    const hop = { url: 'https://dv.example.edu/a', method: 'GET', body: undefined, withCredentials: true } as const
    const origin = 'https://dv.example.edu'
    for (const location of [
      'http://dv.example.edu/a',
      'http://s3.example/b',
      'ftp://s3.example/b',
      'http://[',
      'data:,x',
      `https://${'x'.repeat(16_000)}.example/`,
    ]) {
      expect(() => nextHop(hop, 303, location, origin), location).toThrow(
        expect.objectContaining({ code: 'SOURCE_REJECTED', message: expect.stringMatching(/^.{1,200}$/) as string }),
      )
    }
    // An http base URL may lead to https and back, but the token stays at home, and stays there for good.
    const plain = 'http://dv.example.edu'
    const up = nextHop({ ...hop, url: `${plain}/a` }, 301, 'https://dv.example.edu/a', plain)
    expect(up.withCredentials).toBe(false)
    expect(nextHop(up, 301, `${plain}/a`, plain).withCredentials).toBe(false)
    expect(nextHop({ ...hop, url: 'https://dv.example.edu/a' }, 301, `${plain}/a`, plain).withCredentials).toBe(false)
  })

  it('an installation that moves to https is still itself, a storage host is not', () => {
    expect(isElsewhere('https://dv.example.edu', 'http://dv.example.edu')).toBe(false)
    expect(isElsewhere('http://dv.example.edu', 'https://dv.example.edu')).toBe(true)
    expect(isElsewhere('https://s3.example', 'http://dv.example.edu')).toBe(true)
    expect(isElsewhere('http://127.0.0.1:2', 'http://127.0.0.1:1')).toBe(true)
  })

  it('what was posted goes to nobody else', () => {
    const body = { text: '{"guestbookResponse":{}}', type: 'application/json' }
    const hop = { url: 'https://dv.example.edu/a', method: 'POST', body, withCredentials: true } as const
    const origin = 'https://dv.example.edu'
    expect(nextHop(hop, 308, '/b', origin)).toEqual({ ...hop, url: 'https://dv.example.edu/b' })
    expect(nextHop(hop, 303, 'https://s3.example/b', origin)).toMatchObject({ method: 'GET', body: undefined })
    expect(() => nextHop(hop, 307, 'https://other.example/b', origin)).toThrow('https://other.example')
  })

  it('says who is asking', async () => {
    await using home = await scriptedServer((_, response) => sendFile(response, ''))
    const ask = async (options: Partial<InstallationOptions>): Promise<void> => {
      await withInstallation({ baseUrl: `${home.url}/sub/`, ...options }, async (installation) => {
        await bytesOf((await installation.send({ route: fileRoute(1) })).body.batches())
      })
    }
    await ask({})
    await ask({ contact: 'data@example.edu' })
    await ask({ userAgent: 'mine/1' })
    expect(home.seen.map(({ headers }) => headers['user-agent'])).toEqual([
      expect.stringMatching(/^dataferry\/\d+\.\d+\.\d+$/),
      expect.stringMatching(/^dataferry\/\S+ \(data@example.edu\)$/),
      'mine/1',
    ])
    expect(home.seen[0]).toMatchObject({ url: '/sub/api/access/datafile/1', headers: { accept: '*/*' } })
  })
})
