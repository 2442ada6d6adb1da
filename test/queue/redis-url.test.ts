import { describe, expect, it } from 'vitest'
import { parseRedisUrl, redisLabel, socketUrl } from '../../src/queue/redis-url.ts'

const label = (url: string): string => redisLabel(parseRedisUrl(url))

describe('a Redis URL', () => {
  it.each([
    ['redis://h', 'redis://h:6379'],
    ['redis://h:7000/3', 'redis://h:7000/3'],
    ['REDISS://user:secret@h:1/0', 'rediss://h:1'],
    ['redis://[::1]:6380', 'redis://[::1]:6380'],
    ['unix:///run/redis/r.sock', 'unix:///run/redis/r.sock'],
    ['redis+socket:///run/r.sock?db=2', 'unix:///run/r.sock'],
    ['redis+sentinel://:secret@a,b:1/main', 'redis+sentinel://a:26379,b:1/main'],
    ['rediss+sentinel://a/main/4', 'rediss+sentinel://a:26379/main/4'],
    ['redis+cluster://u:secret@a:1,b:2,c', 'redis+cluster://a:1,b:2,c:6379'],
  ])('%s is %s for people, without its password', (url, expected) => {
    expect(label(url)).toBe(expected)
  })

  it('decodes user, password and group, and keeps a colon in a password', () => {
    const target = parseRedisUrl('redis+sentinel://us%40er:p%2Fa:ss@h/my%20group/1')
    expect(target).toMatchObject({ username: 'us@er', password: 'p/a:ss', group: 'my group', db: 1 })
  })

  it('reaches a socket at any path', () => {
    const path = '/tmp/a b/ü?#%41/redis.sock'
    expect(parseRedisUrl(socketUrl(path)).socket).toBe(path)
  })

  it.each([
    'http://:hunter2@h',
    'redis://:hunter2@h:99999',
    'redis://:hunter2@h,i',
    'redis://:hunter2@h/x',
    'redis://:hunter2@h/0/1',
    'redis://:hunter2%@h',
    'redis+cluster://:hunter2@h/1',
    'redis+sentinel://:hunter2@h',
    'unix://:hunter2@',
    'unix://host/path',
    'hunter2',
  ])('%s is refused without repeating the password', (url) => {
    const refusal: unknown = expect.objectContaining({
      code: 'CONFIG_INVALID',
      message: expect.not.stringContaining('hunter2') as unknown,
    })
    expect(() => parseRedisUrl(url)).toThrow(refusal)
  })
})
