/** Settings of a care plan: one number, or one for each hour of the day. */
import type { SettingView } from '../../../api/types'
import { short } from '../../../parts/number'

export type Value = number | number[]
export const HOURS = Array.from({ length: 24 }, (_, k) => k)
export const hour = (k: number): string => `${String(k).padStart(2, '0')}:00`

export const hourly = (value: Value): number[] => (Array.isArray(value) ? value : HOURS.map(() => value))

export interface Stretch {
  from: number
  until: number
  value: number
}

/** Return a day's values as stretches of hours with one value each. */
export function stretches(value: Value): Stretch[] {
  return hourly(value).reduce<Stretch[]>((found, one, k) => {
    const last = found.at(-1)
    if (last?.value === one) last.until = k + 1
    else found.push({ from: k, until: k + 1, value: one })
    return found
  }, [])
}

export function words(value: Value, unit: string): string {
  const parts = stretches(value)
  if (parts.length === 1) return `${short(parts[0]!.value)} ${unit}`
  return parts.map(({ from, until, value }) => `${hour(from)}–${hour(until % 24)}: ${short(value)} ${unit}`).join(', ')
}

/** Return what a change does to a setting, in words: only the hours at which it differs. */
export function difference(before: Value | null, after: Value, unit: string): string {
  if (before === null) return words(after, unit)
  if (stretches(before).length === 1 && stretches(after).length === 1)
    return `${words(before, unit)} → ${words(after, unit)}`
  const [old, fresh] = [hourly(before), hourly(after)]
  const found = HOURS.reduce<(Stretch & { old: number })[]>((parts, k) => {
    const last = parts.at(-1)
    if (old[k] === fresh[k]) return parts
    if (last && last.until === k && last.old === old[k] && last.value === fresh[k]) last.until = k + 1
    else parts.push({ from: k, until: k + 1, value: fresh[k]!, old: old[k]! })
    return parts
  }, [])
  return found.map((p) => `${hour(p.from)}–${hour(p.until % 24)}: ${short(p.old)} → ${short(p.value)} ${unit}`).join(', ') || 'as it is now'
}

/** Return the value with one number from one hour until another. */
export function set(value: Value, from: number, until: number, to: number): Value {
  const day = hourly(value).map((old, k) => ((from < until ? k >= from && k < until : k >= from || k < until) ? to : old))
  return day.every((one) => one === day[0]) ? day[0]! : day
}

export const valueOf = (setting: SettingView): Value | null => setting.value
