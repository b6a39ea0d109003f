/** What is said of a service, in words. */
import type { CaseView, StationView } from '../../api/types'
import { percent } from '../../parts/number'
import { MINUTE, span } from '../../parts/time'

/** Names as they are read: dots and underscores are for machines. */
export const plain = (name: string): string => name.replaceAll(/[._]/g, ' ')

/** A wait in seconds. */
export function wait(seconds: number): string {
  if (seconds < 45) return seconds < 1 ? 'none' : `${Math.round(seconds)} s`
  return seconds < 100 * 60 ? `${Math.round(seconds / 60)} min` : span(1000 * seconds)
}

export const LIKELY = 0.5
export const POSSIBLE = 0.2
export type Danger = 'broken' | 'likely' | 'possible' | 'calm'

/** How near a station is to breaking its promise. */
export function danger(station: StationView): Danger {
  if (!station.risk) return 'calm'
  if (station.risk.broken) return 'broken'
  return station.risk.chance >= LIKELY ? 'likely' : station.risk.chance >= POSSIBLE ? 'possible' : 'calm'
}

/** When the promise is broken, short: what is lit on the map. */
export function when(station: StationView, now: number): string {
  const at = station.risk?.at
  if (station.risk?.broken) return 'too long now'
  if (at == null) return ''
  const minutes = Math.round((at - now) / MINUTE)
  return minutes <= 1 ? 'any moment' : `in ${minutes} min`
}

/** A station in one sentence. */
export function told(station: StationView, now: number): string {
  const promise = station.promise == null ? '' : `, ${wait(station.promise)} promised`
  const parts = [`${plain(station.name)}: ${station.queue} waiting, ${station.busy} being served`]
  parts.push(station.queue ? `longest wait ${wait(station.oldest)}${promise}` : `nobody waits${promise}`)
  const risk = station.risk
  if (risk?.broken) parts.push('the promise is broken now')
  else if (risk && danger(station) !== 'calm')
    parts.push(`${percent(risk.chance)} chance that the promise is broken within the hour, ${when(station, now)}`)
  return parts.join('; ')
}

/** How long somebody stays, from quantiles of 10, 50 and 90 %. */
export function stays([low, mid, high]: CaseView['remaining'], beyond: string): string {
  if (mid === null || mid === undefined) return low == null ? `more than ${beyond}` : `${wait(low)} or much more`
  const least = low == null ? '' : wait(low)
  return `about ${wait(mid)} (${least} to ${high == null ? `more than ${beyond}` : wait(high)})`
}
