import type { ActionView, View } from '../../api/types'
import { short } from '../../parts/number'
import { MINUTE, moment, span } from '../../parts/time'

/** Return an action in words: "Meals: 12 g at 14:05, in 5 min". */
export function actionWords(action: ActionView, view: View, now: number): string {
  const label = view.levers[action.lever]?.label ?? action.lever
  const off = action.at - now
  const when = off > MINUTE ? `, in ${span(off)}` : off < -MINUTE ? `, ${span(off)} ago` : ', now'
  return `${label}: ${short(action.amount)} ${action.unit} at ${moment(action.at, now)}${when}`
}

/** Return in words who may decide on a proposal, where the one who looks may not. */
export function whoDecides(names: string[]): string {
  if (!names.length) return 'You may not decide on it, and right now nobody may.'
  const all = names.length > 1 ? `${names.slice(0, -1).join(', ')} or ${names.at(-1)}` : names[0]
  return `You may not decide on it: ${all} may.`
}
