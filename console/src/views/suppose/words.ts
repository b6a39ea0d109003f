import type { FieldView, Scenario } from '../../api/types'
import { short } from '../../parts/number'
import { MINUTE, moment } from '../../parts/time'

/** Return what a number of minutes from now means: the time of day. */
export const means = (field: FieldView, value: number, now: number): string =>
  field.from_now && Number.isFinite(value) ? (value ? `at ${moment(now + value * MINUTE, now)}` : 'now') : ''

function part(field: FieldView, value: string | number, now: number): string {
  if (field.type === 'time') return moment(Number(value), now)
  if (field.from_now) return Number(value) ? `in ${short(Number(value))} min` : 'now'
  return field.type === 'number' ? `${short(Number(value))} ${field.unit}`.trim() : String(value)
}

/** Return what to call a scenario as it is filled in: "Eat and give insulin, 30 g, now, 2 U, in 10 min". */
export function titled(from: Scenario, value: (field: FieldView) => string | number, now: number): string {
  return [from.title, ...from.fields.map((field) => part(field, value(field), now))].join(', ').replaceAll('/', ' per ').slice(0, 80)
}
