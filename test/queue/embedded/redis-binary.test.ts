import { expect, it } from 'vitest'
import { installCommand } from '../../../src/queue/embedded/redis-binary.ts'

it.each([
  ['ID=debian\n', 'sudo apt-get install redis-server'],
  ['NAME="Linux Mint"\nID=mint-like\nID_LIKE="ubuntu debian"\n', 'sudo apt-get install redis-server'],
  ['ID="rocky"\nID_LIKE="rhel centos fedora"\n', 'sudo dnf install valkey'],
  ['ID=alpine\n', 'apk add redis'],
  ['ID=arch\n', 'sudo pacman -S valkey'],
  ['ID="opensuse-leap"\n', 'sudo zypper install redis'],
])('the command for %j is %s', (release, command) => {
  expect(installCommand('linux', release)).toBe(command)
})

it('macOS has brew, and an unknown system gets the names of the packages', () => {
  expect(installCommand('darwin', '')).toBe('brew install redis')
  expect(installCommand('linux', 'ID=plan9')).toMatch(/package redis or valkey/)
})
