// Preloaded into a process by NODE_OPTIONS: its clock is ahead by CLOCK_AHEAD_MS.
const ahead = Number(process.env['CLOCK_AHEAD_MS'] ?? 0)
const RealDate = Date

class DateAhead extends RealDate {
  constructor(...parts) {
    if (parts.length === 0) super(RealDate.now() + ahead)
    else super(...parts)
  }

  static now() {
    return RealDate.now() + ahead
  }
}

// TypeScript must not take it for a declaration of another Date.
Object.assign(globalThis, { Date: DateAhead })
