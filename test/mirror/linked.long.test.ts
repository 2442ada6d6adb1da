import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { file } from './file.ts'
import { mirrorHomes, type MirrorHome } from './home.ts'

const OWN = 'doi:10.5072/FK2/OWN'
const GUEST = 'doi:10.5072/FK2/GUEST'

const homeOf = mirrorHomes()
let home: MirrorHome
beforeEach(async () => {
  home = await homeOf()
  home.repository.deposit(OWN, [file('own')], { collection: 'climate' })
  home.repository.deposit(GUEST, [file('guest')], { collection: 'other', linkedTo: ['climate'] })
})
afterEach(() => home.close())

describe('a mirror with --linked', () => {
  it('keeps what is only linked while the index is away, which alone could tell', async () => {
    const scope = ['--collection', 'climate', '--linked']
    expect((await home.cli('mirror', 'create', 'm', '--to', home.destination, ...scope)).code).toBe(0)
    expect((await home.run()).report.states).toEqual({ current: 2 })
    home.server.set({ searchFails: 'overloaded' })
    const { code, report } = await home.run()
    expect([code, report.sweep, report.states]).toEqual([0, 'full', { current: 2 }])
    home.server.set({ searchFails: undefined })
    expect((await home.run()).report.states).toEqual({ current: 2 })
  })
})

describe('a dataset that was only linked into a collection', () => {
  it('has the folder of its PID once the collection owns it, and one whose PID differs by case another one', async () => {
    const created = await home.cli('mirror', 'create', 'm', '--to', home.destination, '--collection', 'climate')
    expect(created.code).toBe(0)
    expect((await home.run()).report.states).toEqual({ current: 1, linked: 1 })
    home.repository.move(GUEST, 'climate')
    expect((await home.run()).report).toMatchObject({ states: { current: 2 }, datasets: { added: 1 } })
    expect(Object.keys(await home.files()).sort()).toEqual(['doi-10.5072-FK2-GUEST/guest', 'doi-10.5072-FK2-OWN/own'])
    home.repository.deposit(GUEST.toLowerCase().replace('doi:10.5072/fk2', 'doi:10.5072/FK2'), [file('twin')], {
      collection: 'climate',
    })
    await home.run()
    await home.run()
    expect(Object.keys(await home.files()).sort()).toEqual([
      'doi-10.5072-FK2-GUEST/guest',
      'doi-10.5072-FK2-OWN/own',
      'doi-10.5072-FK2-guest (2)/twin',
    ])
  })
})
