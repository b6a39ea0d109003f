/** What the tools `advise_bolus` and `replay` answer, and who is shown them. */
import type { Scenario, View } from '../../../api/types'

export interface Option {
  title: string
  reasons: string[]
  /** The rules of the guard that would cut it. */
  guard: string[]
}

export interface Advised {
  options: Option[]
  note: string
  made_at: number
}

export interface Row {
  name: string
  label: string
  unit: string
  observed: number
  replayed: number
  change: number
  low: number
  high: number
}

export interface Replayed {
  title: string
  since: number
  until: number
  readings: number
  metrics: Row[]
  note: string
}

/* What can be changed of a week that was: its doses, and not whether one ate, was ill or did sport. */
const PAST = ['bolus_scale', 'basal_scale', 'bolus_lead']
export const replayable = (offered: Scenario[]): Scenario[] => offered.filter(({ name }) => PAST.includes(name))

const sees = (view: View, names: string[]): boolean => names.every((name) => name in view.levers || name in view.signals)

/** Whether to offer advice on doses: to who sees all of the twin, and to a child only once she holds her own keys. */
export const advised = (view: View, tools: ReadonlySet<string>, actor: string, keys: boolean): boolean =>
  tools.has('advise_bolus') && !view.withheld.includes('proposals') && (actor !== view.twin || keys)

/** Whether to offer a replay: to who sees glucose and all doses, and to a child only once she holds her own keys. */
export const replays = (view: View, tools: ReadonlySet<string>, actor: string, keys: boolean): boolean =>
  tools.has('replay') && !view.withheld.includes('forks') && sees(view, ['glucose', 'bolus', 'basal', 'carbs']) && (actor !== view.twin || keys)
