import { now, scenarios, type Entry } from '../../../gallery/entry'
import { HOUR } from '../../../parts/time'
import Advice from './Advice.svelte'
import type { Advised, Replayed } from './asked'
import Replay from './Replay.svelte'

const told: Advised = { options: [{ title: 'bolus now: 1.20 U', reasons: ['86 % of the next 4 h in 70-180 mg/dL (80 % interval 61 to 100)'], guard: [] }], note: 'not a medical device; ask your team', made_at: now }
const week: Replayed = {
  title: 'boluses × 1.1', since: now - 168 * HOUR, until: now, readings: 2016, note: 'what other doses would have changed',
  metrics: [{ name: 'time_in_range', label: '70–180 mg/dL', unit: '%', observed: 71, replayed: 74.2, change: 3.2, low: -0.8, high: 6.9 }],
}
const scaled = [{ name: 'bolus_scale', title: 'Larger or smaller boluses', fields: [{ ...scenarios[0]!.fields[0]!, name: 'factor', label: 'Times', unit: '', min: 0, max: 2, step: 0.05, default: 1.1 }] }]
export default [
  { name: 'advice', component: Advice, props: { now, ask: async () => told } },
  { name: 'replay', component: Replay, props: { now, scenarios: async () => scaled, ask: async () => week } },
] satisfies Entry[]
