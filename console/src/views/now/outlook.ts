/** What the readings and the fan say in a sentence; knows signals and bands, no domain. */
import type { ForecastView, Point, SignalView, View } from '../../api/types'
import { MINUTE } from '../../parts/time'

export type Place = 'within' | 'below' | 'above'

/** Return the name and description of the signal on the axis. */
export function primary(view: View): [string, SignalView] {
  const entries = Object.entries(view.signals)
  const found = entries.find(([, signal]) => signal.primary) ?? entries[0]
  if (!found) throw new Error(`the twin ${view.twin} has no signals`)
  return found
}

export function place(value: number, signal: SignalView): Place {
  if (!signal.band) return 'within'
  return value < signal.band[0] ? 'below' : value > signal.band[1] ? 'above' : 'within'
}

export const placeWords: Record<Place, string> = { within: 'In target', below: 'Below target', above: 'Above target' }

export interface Trend {
  change: number
  minutes: number
  /** Degrees from level, up positive: 45 is the width of the band in two hours. */
  angle: number
  word: string
}

/** Return how the last quarter of an hour went, or null where there is too little to say. */
export function trend(readings: Point[], signal: SignalView): Trend | null {
  const last = readings.at(-1)
  if (!last) return null
  const since = last[0] - Math.max(15 * MINUTE, 3 * signal.cadence)
  const first = readings.find(([at]) => at >= since)
  if (!first || last[0] - first[0] < signal.cadence) return null
  const change = last[1] - first[1]
  const minutes = (last[0] - first[0]) / MINUTE
  const [low, high] = signal.band ?? [signal.low, signal.high]
  const slope = ((change / minutes) * 120) / (high - low)
  const angle = (Math.atan(slope) * 180) / Math.PI
  const size = Math.abs(angle)
  const way = angle > 0 ? 'rising' : 'falling'
  return { change, minutes, angle, word: size < 12 ? 'steady' : size > 55 ? `${way} fast` : way }
}

/** Return P(signal < limit) at the i-th time, between the quantiles by straight lines, 0 or 1 beyond them. */
export function chanceBelow(forecast: ForecastView, i: number, limit: number): number {
  const levels = Object.keys(forecast.quantiles).sort((a, b) => Number(a) - Number(b))
  const values = levels.map((level) => forecast.quantiles[level]![i]!)
  if (limit <= values[0]!) return 0
  for (let k = 1; k < values.length; k++) {
    const [left, right] = [values[k - 1]!, values[k]!]
    if (limit <= right) {
      const share = right === left ? 1 : (limit - left) / (right - left)
      return Number(levels[k - 1]) + share * (Number(levels[k]) - Number(levels[k - 1]))
    }
  }
  return 1
}

export interface Risk {
  place: 'below' | 'above'
  limit: number
  chance: number
  at: number
}

/** Return, for each side of the band, when leaving it is likeliest from *now* on, and how likely. */
export function risks(forecast: ForecastView, signal: SignalView, now: number): Risk[] {
  if (!signal.band) return []
  const [low, high] = signal.band
  const ahead = forecast.at.map((at, i) => ({ at, i })).filter(({ at }) => at > now)
  const worst = (place: Risk['place'], limit: number, chance: (i: number) => number): Risk =>
    ahead.reduce<Risk>(
      (best, { at, i }) => (chance(i) > best.chance ? { place, limit, chance: chance(i), at } : best),
      { place, limit, chance: 0, at: now },
    )
  return [
    worst('below', low, (i) => chanceBelow(forecast, i, low)),
    worst('above', high, (i) => 1 - chanceBelow(forecast, i, high)),
  ]
}

/** Return the index of the forecast's time nearest to *at*. */
export function nearest(times: number[], at: number): number {
  let best = 0
  for (let i = 1; i < times.length; i++) if (Math.abs(times[i]! - at) < Math.abs(times[best]! - at)) best = i
  return best
}
