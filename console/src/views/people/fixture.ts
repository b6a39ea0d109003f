/** What the gallery shows of a care team: invented, in the server's types. */
import type { HandOver, MemberView, NoticeView, PaperView, PlanView, Reach, RoleView, RuleView, Said, View } from '../../api/types'
import { now, view } from '../../gallery/entry'
import { HOUR, MINUTE } from '../../parts/time'
import type { Lesson, Played } from './child/child.svelte'
import type { Manners } from './companion/manners'

const basal = Array.from({ length: 24 }, (_, k) => (k >= 3 && k < 8 ? 0.55 : k < 20 ? 0.45 : 0.4))
const setting = (label: string, unit: string, low: number, high: number, value: number | number[] | null) => ({ label, unit, low, high, value, since: value === null ? null : 12 })

export const plan: PlanView = {
  settings: {
    basal: setting('Basal rate', 'U/h', 0, 15, basal),
    ratio: setting('Carbohydrate ratio', 'g/U', 1, 150, 25),
    sensitivity: setting('Correction factor', 'mg/dL/U', 5, 500, 100),
    target_low: setting('Target from', 'mg/dL', 70, 180, 90),
    weight: setting('Weight', 'kg', 2, 300, null),
  },
  notes: { 'low at school': 'Juice from the red box, then sit with an adult; check again after 15 minutes.' },
  changes: [
    { seq: 31, by: 'dr-lee', at: now - 2 * HOUR, status: 'open', decided_by: '', note: '', why: 'Mornings run high on most days.', settings: { basal: basal.map((v, k) => (k >= 4 && k < 8 ? 0.65 : v)), ratio: 23 }, notes: {} },
    { seq: 12, by: 'dr-lee', at: now - 90 * HOUR, status: 'approved', decided_by: 'sarah', note: 'agreed', why: 'as agreed at the visit', settings: { basal, ratio: 25 }, notes: {} },
  ],
  reviews: [{ seq: 14, by: 'dr-lee', at: now - 80 * HOUR, since: now - 400 * HOUR, until: now - 80 * HOUR, text: 'Days are steady; the hours after lunch run high.' }],
  may_propose: true,
  may_decide: true,
}

export const roles: RoleView[] = [
  { name: 'guardian', label: 'Parent or guardian', does: 'holds the keys', purpose: 'self-management', timed: false, keys: true },
  { name: 'nurse', label: 'School nurse', does: 'is told of alerts in school hours, and sees nothing else', purpose: 'care', timed: true, keys: false },
]
export const members: MemberView[] = [
  { actor: 'sarah', role: 'guardian', label: 'Parent or guardian', does: 'holds the keys: sees and decides all' },
  { actor: 'dr-lee', role: 'doctor', label: 'Doctor', does: 'sees all, reviews, proposes treatment' },
  { actor: 'nora', role: 'nurse', label: 'School nurse', does: 'is told of alerts in school hours, and sees nothing else' },
]
const rule = { said_by: 'sarah', said_at: now - 30 * HOUR, names: ['*'], after_min: 0, hours: null, quiet: null, again_min: null, purpose: 'care', heard: true }
export const rules: RuleView[] = [
  { ...rule, id: 'a', to: 'sarah', severity: 'warning', quiet: '21:00-07:00 UTC' },
  { ...rule, id: 'b', to: 'nora', severity: 'urgent', hours: '08:00-15:00 UTC Mon-Fri' },
  { ...rule, id: 'c', to: 'dr-lee', severity: 'urgent', after_min: 20 },
]
/** Lily holds the keys; whom others let in may nothing any more. */
export const grown: MemberView[] = [{ actor: 'lily', role: 'holder', label: 'Holder of the keys', does: 'sees and decides all' }]
export const handed: HandOver = { at: now - 20 * HOUR, over: true, ends: ['sarah', 'dr-lee', 'nora'] }
export const silent: RuleView[] = rules.map((one) => ({ ...one, heard: false }))
export const papers: PaperView[] = [
  { name: 'agp', title: 'AGP report, one page', days: 14 },
  { name: 'letter', title: 'Letter to the clinic', days: 14 },
]

const notice = { twin: 'lily', name: 'low', severity: 'urgent' as const, nth: 1, over: false, acknowledged_by: '', note: '' }
export const notices: NoticeView[] = [
  { ...notice, seq: 40, at: now - 4 * MINUTE, alert: 39, text: 'glucose is 62 mg/dL and falling', nth: 2 },
  { ...notice, seq: 30, at: now - 3 * HOUR, alert: 29, name: 'sensor', severity: 'warning', text: 'no reading for 40 minutes', over: true, acknowledged_by: 'nora', note: 'patch is back on' },
]

export const manner: Manners = { unit: 'mg/dL', timezone: 'Europe/Oslo', timezone_set: true, emergency: '112', keep_words: false, large_model: false, large_model_named: true }
export const reach: Reach = {
  possible: ['ntfy', 'email'], hosts: ['ntfy.example.org'],
  ways: [
    { id: 'a', kind: 'ntfy', words: false, confirmed: true, asked_at: now - HOUR, last: 'delivered' },
    { id: 'b', kind: 'email', words: true, confirmed: false, asked_at: now - MINUTE, last: '' },
  ],
}

export const played: Played = {
  on: true, points: 385, today: 45, days_in_a_row: 4, worth: { log: 10, check: 5, learn: 20 },
  badges: [{ name: 'first-log', label: 'First meal written down' }, { name: 'curious', label: 'First lesson' }, { name: 'streak-3', label: 'Three days in a row' }],
}
export const lesson: Lesson = {
  name: 'arrow', title: 'The arrow', text: 'The arrow by your number says where glucose is going. Pointing down means it is falling.',
  question: 'The arrow points down. What is glucose doing?', answers: ['rising', 'falling', 'staying'],
}
export const reply = (text: string, more: Partial<Said> = {}): Said => ({ name: 'Sunny', text, intent: 'now', handed_over: '', by: 'rules', note: '', tools: [], numbers: [], ...more })

const at = (value: number, alerts: View['alerts'] = []): View => ({
  ...view,
  readings: { ...view.readings, glucose: view.readings.glucose!.map(([when, read]) => [when, read + value - view.readings.glucose!.at(-1)![1]] as [number, number]) },
  alerts,
})
export const low = at(61, [{ seq: 1, at: now, severity: 'urgent', text: 'Glucose is 61 mg/dL', active: true, acknowledged_by: '', note: '' }])
export const high = at(236)

/** What a school nurse is given. */
export const guarded: View = { ...view, signals: {}, levers: {}, metrics: {}, readings: {}, actions: {}, forecast: null, forks: [], proposals: [], alerts: low.alerts, scores: [], past_forecasts: [], withheld: ['proposals', 'forks', 'scores'] }
