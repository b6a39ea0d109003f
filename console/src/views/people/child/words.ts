/** What the numbers say to a child: kind, short, never a verdict. */
import type { ForecastView, Said, SignalView } from '../../../api/types'
import { fixed } from '../../../parts/number'
import { HOUR } from '../../../parts/time'
import { nearest, type Place, type Trend } from '../../now/outlook'

export const placed: Record<Place, string> = {
  within: 'Right where it should be',
  below: 'On the low side',
  above: 'On the high side',
}

/** From which chance of being low at any time of the next two hours on it is said; a judgement. */
const MAYBE = 0.2

/** What to do, or that there is nothing to do. */
export function kindly(place: Place, trend: Trend | null, mayFall: number): string {
  const falling = trend?.word.startsWith('falling') ?? false
  const rising = trend?.word.startsWith('rising') ?? false
  if (place === 'below') return 'Tell a grown-up. Your care plan says what helps.'
  if (mayFall >= MAYBE) return 'It may get low later. Have another look soon, and let a grown-up know.'
  if (place === 'above') return falling ? 'It is on its way down again.' : 'That happens, and it is nobody’s fault. Tell a grown-up if you feel unwell.'
  if (falling && trend!.word.endsWith('fast')) return 'It is going down quickly. Let a grown-up know.'
  if (rising && trend!.word.endsWith('fast')) return 'It is going up quickly, as it often does after food.'
  return 'All is well just now.'
}

export const going: Record<string, string> = {
  steady: 'staying the same',
  rising: 'going up',
  'rising fast': 'going up quickly',
  falling: 'going down',
  'falling fast': 'going down quickly',
}

const sources: Record<string, string> = {
  status: 'your number', forecast: 'what may come', history: 'your day', week: 'your days', food: 'the food list',
  log_food: 'your food diary', recent: 'your food and insulin', plan: 'your plan', alerts: 'your alerts', play: 'your points',
  learn: 'the lessons', suggest_food: 'food ideas', what_if: 'a try-out on a copy', try_out: 'a try-out on a copy',
  companion: '', hand_over: '',
}

/** Return which of the twin's tools an answer comes from, in words. */
export function looked(said: { tools: Pick<Said['tools'][number], 'tool' | 'refused'>[] }): string {
  const used = said.tools.filter(({ refused }) => !refused).map(({ tool }) => sources[tool] ?? tool.replaceAll('_', ' '))
  return [...new Set(used.filter(Boolean))].join(', ')
}

/** Return what is likely in an hour and in two, in one sentence each. */
export function ahead(forecast: ForecastView, signal: SignalView, now: number): string[] {
  return [1, 2].flatMap((hours) => {
    const i = nearest(forecast.at, now + hours * HOUR)
    if (Math.abs(forecast.at[i]! - now - hours * HOUR) > HOUR / 6) return []
    const [low, middle, high] = (['0.1', '0.5', '0.9'] as const).map((level) => fixed(forecast.quantiles[level]![i]!, signal.decimals))
    return [`In ${hours === 1 ? 'one hour' : 'two hours'}: about ${middle}, most likely between ${low} and ${high}.`]
  })
}
