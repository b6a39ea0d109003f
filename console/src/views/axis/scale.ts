/** From values to places on the axis. */
import type { Point, View } from '../../api/types'
import { HOUR, MINUTE } from '../../parts/time'
import { primary } from '../now/outlook'

export interface Window {
  from: number
  to: number
}

/** Return what the axis spans: *hours* back, and ahead as far as anything is said, a quarter to the whole of that. */
export function windowOf(view: View, now: number, hours: number): Window {
  const ends = [view.forecast?.at.at(-1) ?? now, ...view.forks.map((fork) => fork.at.at(-1) ?? now)]
  const back = hours * HOUR
  const ahead = Math.min(Math.max(Math.max(...ends) - now, back / 4), back)
  return { from: now - back, to: now + ahead }
}

export const inside = (at: number, { from, to }: Window): boolean => at >= from && at <= to

/** Return the lowest and highest value to show: everything in the window and the band, with some air. */
export function valueRange(view: View, window: Window): [number, number] {
  const [name, signal] = primary(view)
  const values: number[] = [...(signal.band ?? [])]
  for (const [at, value] of (view.readings[name] ?? []) as Point[]) if (inside(at, window)) values.push(value)
  const take = (times: number[], rows: number[][]): void =>
    times.forEach((at, i) => inside(at, window) && values.push(...rows.map((row) => row[i]!)))
  if (view.forecast) take(view.forecast.at, Object.values(view.forecast.quantiles))
  for (const fork of view.forks) take(fork.at, [fork.median])
  if (!values.length) return [signal.low, signal.high]
  const [low, high] = [Math.min(...values), Math.max(...values)]
  const air = 0.08 * (high - low || 1)
  return [Math.max(signal.low, low - air), Math.min(Math.max(signal.high, high), high + air)]
}

/** Return round numbers within [low, high], about *count* of them. */
export function niceTicks(low: number, high: number, count: number): number[] {
  const rough = (high - low) / count
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough) ?? 10 * power
  const out: number[] = []
  for (let k = Math.ceil(low / step); k * step <= high; k++) out.push(k * step)
  return out
}

const STEPS = [15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 4 * HOUR, 6 * HOUR, 12 * HOUR]

/** Return the time between ticks that leaves each about *room* px. */
export const timeStep = (window: Window, width: number, room: number): number =>
  STEPS.find((step) => (step / (window.to - window.from)) * width >= room) ?? STEPS.at(-1)!

/** Return an SVG path through (x, y), lifting the pen where *gap* says so. */
export function line(points: [number, number][], broken: (i: number) => boolean = () => false): string {
  return points.map(([x, y], i) => `${i === 0 || broken(i) ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`).join('')
}

/** Return the closed SVG path between two rows of y over the same x. */
export function ribbon(x: number[], low: number[], high: number[]): string {
  if (!x.length) return ''
  const up = x.map((at, i): [number, number] => [at, high[i]!])
  const down = x.map((at, i): [number, number] => [at, low[i]!]).reverse()
  return `${line(up)}L${line(down).slice(1)}Z`
}

/** Return the colour and dashes of the n-th fork. */
export const forkStyle = (n: number): { colour: string; dash: string } => ({
  colour: `var(--fork-${(n % 4) + 1})`,
  dash: ['7 4', '2 4', '10 3 2 3', '4 2'][n % 4]!,
})

export const laneColour = (n: number): string => `var(--lane-${(n % 4) + 1})`
