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
