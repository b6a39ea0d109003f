/** What the axis says of one time: for the pointer, the keyboard's live region and the table. */
import type { LeverView, PastForecast, Point, View } from '../../api/types'
import { fixed, short } from '../../parts/number'
import { span } from '../../parts/time'
import { primary } from '../now/outlook'
import { forkStyle, laneColour } from './scale'

export interface Row {
  label: string
  value: string
  colour?: string
}

/** Return the index of the time nearest to *at* within *tolerance*, or -1. */
export function close(times: number[], at: number, tolerance: number): number {
  let best = -1
  times.forEach((time, i) => {
    const off = Math.abs(time - at)
    if (off <= tolerance && (best < 0 || off < Math.abs(times[best]! - at))) best = i
  })
  return best
}

export interface Laid {
  lever: string
  shown: LeverView
  nth: number
}

/** Return the levers that have a lane: those that ever did something as far as is known, or are proposed to, by their place. */
export function laid(view: View): Laid[] {
  const proposed = new Set(view.proposals.filter((p) => p.status === 'open').map((p) => p.action?.lever))
  return Object.entries(view.levers)
    .map(([lever, shown], nth) => ({ lever, shown, nth }))
    .filter(({ lever }) => proposed.has(lever) || ((view.actions[lever] ?? []) as Point[]).some(([, amount]) => amount > 0))
}

/** Return everything known or said about *at*; past forecasts only those given. */
export function rowsAt(view: View, at: number, now: number, past: PastForecast[]): Row[] {
  const [name, signal] = primary(view)
  const near = signal.cadence * 0.75
  const text = (value: number): string => fixed(value, signal.decimals)
  const rows: Row[] = []
  const readings = (view.readings[name] ?? []) as Point[]
  const i = close(readings.map(([t]) => t), at, near)
  if (i >= 0) rows.push({ label: signal.label, value: `${text(readings[i]![1])} ${signal.unit}` })
  else if (at <= now) rows.push({ label: signal.label, value: 'no reading' })
  for (const said of past.filter((p) => Math.abs(p.at - at) <= near).slice(0, 1)) {
    const value = `${text(said.median)} (${text(said.low80)}–${text(said.high80)})`
    rows.push({ label: `Said ${span(said.at - said.made_at)} before`, value, colour: 'var(--forecast)' })
  }
  if (view.forecast && at > now - near) {
    const k = close(view.forecast.at, at, near)
    const q = view.forecast.quantiles
    if (k >= 0 && q['0.5']) {
      rows.push({ label: 'Forecast', value: `${text(q['0.5'][k]!)} ${signal.unit}`, colour: 'var(--forecast)' })
      if (q['0.1'] && q['0.9']) rows.push({ label: '80 % range', value: `${text(q['0.1'][k]!)} to ${text(q['0.9'][k]!)}` })
      if (q['0.025'] && q['0.975'])
        rows.push({ label: '95 % range', value: `${text(q['0.025'][k]!)} to ${text(q['0.975'][k]!)}` })
    }
  }
  view.forks.forEach((fork, n) => {
    const k = close(fork.at, at, near)
    if (k >= 0) rows.push({ label: fork.name, value: text(fork.median[k]!), colour: forkStyle(n).colour })
  })
  laid(view).forEach(({ lever, shown: { label, unit, holds }, nth }) => {
    const doses = (view.actions[lever] ?? []) as Point[]
    const hit = holds
      ? at <= now ? doses.findLast(([t]) => t <= at) : undefined
      : doses.find(([t]) => Math.abs(t - at) <= near)
    if (hit) rows.push({ label, value: `${short(hit[1])} ${unit}`, colour: laneColour(nth) })
  })
  return rows
}
