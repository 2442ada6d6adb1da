// `npm run check`: all checks side by side, as each keeps one core busy. What one says is printed when it has ended.
// Exit code 1 when any of them failed. No dependencies.
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'

/** The longest first. */
const CHECKS = ['check:lint', 'check:types', 'check:format', 'check:borders', 'check:dead']

const ended = await Promise.all(CHECKS.map(run))
const failed = ended.filter(({ code }) => code !== 0).map(({ name }) => name)
if (failed.length > 0) console.error(`failed: ${failed.join(', ')}`)
process.exitCode = failed.length > 0 ? 1 : 0

async function run(name) {
  // npm says where it is when it runs this; on Windows it is no program that could be started by name.
  const { npm_execpath: npm } = process.env
  const [program, ...args] = npm ? [process.execPath, npm] : ['npm']
  const child = spawn(program, [...args, 'run', '--silent', name], { stdio: ['ignore', 'pipe', 'pipe'] })
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), exitCode(child)])
  console.log(`== ${name}: ${code === 0 ? 'fine' : 'failed'}`)
  process.stdout.write(out)
  process.stderr.write(err)
  return { name, code }
}

function exitCode(child) {
  return new Promise((resolve, reject) => child.once('error', reject).once('close', resolve))
}
