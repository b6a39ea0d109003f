/** Times as the viewer's clock shows them. */
export const MINUTE = 60_000
export const HOUR = 60 * MINUTE

const clockFormat = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' })
const dayFormat = new Intl.DateTimeFormat(undefined, { weekday: 'short', hour: 'numeric', minute: '2-digit' })
const dateFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })
const weekdayFormat = new Intl.DateTimeFormat(undefined, { weekday: 'short' })

export const clock = (at: number): string => clockFormat.format(at)
export const weekday = (at: number): string => weekdayFormat.format(at)

/** Clock time, with the weekday where it is not the day of *now*, or the date where that is a week away. */
export function moment(at: number, now: number): string {
  const same = new Date(at).toDateString() === new Date(now).toDateString()
  const far = Math.abs(at - now) > 6 * 24 * HOUR
  return (same ? clockFormat : far ? dateFormat : dayFormat).format(at)
}

export function isMidnight(at: number): boolean {
  const date = new Date(at)
  return date.getHours() === 0 && date.getMinutes() === 0
}

/** A length of time in words a glance takes in. */
export function span(ms: number): string {
  const minutes = Math.round(Math.abs(ms) / MINUTE)
  if (minutes < 1) return 'less than a minute'
  if (minutes < 100) return `${minutes} min`
  const hours = minutes / 60
  return hours < 48 ? `${Math.round(hours)} h` : `${Math.round(hours / 24)} days`
}

export const ago = (at: number, now: number): string => (now - at < MINUTE ? 'just now' : `${span(now - at)} ago`)

export const zone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone

/** Return the multiples of *step* (ms) on the viewer's clock within [from, to]. */
export function ticks(from: number, to: number, step: number): number[] {
  const midnight = new Date(from)
  midnight.setHours(0, 0, 0, 0)
  const out: number[] = []
  for (let at = midnight.getTime(); at <= to; at += step) if (at >= from) out.push(at)
  return out
}

/** Return the next instant after *from* at which the viewer's clock shows *hhmm*. */
export function nextAt(hhmm: string, from: number): number {
  const [hours = 0, minutes = 0] = hhmm.split(':').map(Number)
  const at = new Date(from)
  at.setHours(hours, minutes, 0, 0)
  if (at.getTime() < from - MINUTE) at.setDate(at.getDate() + 1)
  return at.getTime()
}

/** Return an instant as `<input type=time>` wants it. */
export function hhmm(at: number): string {
  const date = new Date(at)
  return `${String(date.getHours()).padStart(2, '0')}:${String(date.getMinutes()).padStart(2, '0')}`
}
