import { describe, expect, it, vi } from 'vitest'
import { redact } from '../../src/dataverse/redact.ts'

const TOKEN = '6f1e7a3c-9f60-4b1c-8a55-0c2d3e4f5a6b'

describe('redact', () => {
  it.each([
    `https://dv.example.edu/api/v1/access/datafile/9?key=${TOKEN}&x=1`,
    `Bad link https://s3.example/b/o?X-Amz-Credential=AK%2F1&X-Amz-Signature=deadbeef&X-Amz-Security-Token=abc`,
    `https://dv.example.edu/api/access/datafile/4?gbrids=9&until=2026&user=guest&method=GET&token=deadbeef`,
    `asked with key=deadbeef and token=deadbeef`,
    `X-Dataverse-key: deadbeef`,
    `Authorization: Bearer deadbeef`,
    `https://me:deadbeef@dv.example.edu/x`,
    `the token ${TOKEN} is not known`,
    `{"requestUrl":"https://dv.example.edu/x?key=deadbeef\\u0026b=1"}`,
  ])('takes the secrets out of %s', (text) => {
    const safe = redact(text, [TOKEN])
    expect(safe).not.toContain(TOKEN)
    expect(safe).not.toMatch(/deadbeef|key=|token=|Signature|Credential/)
  })

  it('leaves sentences alone', () => {
    const text = 'Datafile 42: Failed to locate and/or open physical file. See https://guides.dataverse.org/en/latest.'
    expect(redact(text, [TOKEN])).toBe(text)
    expect(redact('monkey=1 turkey=2', [])).toBe('monkey=1 turkey=2')
  })

  it('lets nothing through that a terminal acts on, and keeps messages short', () => {
    expect(redact('a\u001b[2Jb\r\nc\u202ed', [])).toBe('a [2Jb c d')
    expect(redact('\ud800'.repeat(500), [])).toHaveLength(501)
    expect(redact('x '.repeat(5000), []).length).toBeLessThan(600)
  })

  it('shows nothing of a secret that stands where a long text is cut', () => {
    for (let before = 4080; before < 4100; before++) {
      const text = `https://dv.example.edu/?${'x'.repeat(before - 30)} ${TOKEN} tail`
      expect(redact(`${text} ${text}`, [TOKEN])).not.toMatch(new RegExp(TOKEN.slice(0, 6)))
    }
  })

  it('looks at no more of a text than it may show, whatever is in it', () => {
    const looked: number[] = []
    const replace = Reflect.get(RegExp.prototype, Symbol.replace) as (this: RegExp, text: string, by: unknown) => string
    const spy = vi.spyOn(RegExp.prototype, Symbol.replace).mockImplementation(function (this: RegExp, text, by) {
      looked.push(text.length)
      return replace.call(this, text, by)
    })
    try {
      for (const piece of ['http://', 'a-', 'x-amz-', '@', ' ', '=', 'token', 'authorization: '])
        redact(piece.repeat(64_000 / piece.length), [TOKEN])
    } finally {
      spy.mockRestore()
    }
    expect(looked.length).toBeGreaterThan(8)
    expect(Math.max(...looked)).toBeLessThanOrEqual(4096)
  })
})
