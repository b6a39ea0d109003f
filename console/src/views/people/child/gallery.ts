import { empty, never, now, stale, view, type Entry } from '../../../gallery/entry'
import { high, lesson, low, played, reply } from '../fixture'
import Ahead from './Ahead.svelte'
import Chat from './Chat.svelte'
import Glance from './Glance.svelte'
import Lessons from './Lessons.svelte'
import Play from './Play.svelte'

const first = [
  { who: 'me', text: 'I ate a bowl of pasta' },
  { who: 'them', text: 'I wrote down a bowl of pasta, about 45 g carbs.', reply: reply('', { tools: [{ tool: 'log_food', given: {}, refused: '' }] }) },
  { who: 'me', text: 'Shall I take two units?' },
  { who: 'them', text: 'I must not say how much insulin. Please ask Sarah.', reply: reply('', { handed_over: 'dose' }) },
]
const lessons = [{ name: 'arrow', title: 'The arrow' }, { name: 'carbs', title: 'What carbs are' }, { name: 'sport', title: 'Sport and sugar' }]

export default [
  { name: 'child-glance', component: Glance, props: { view, now } },
  { name: 'child-glance-low', component: Glance, props: { view: low, now } },
  { name: 'child-glance-high', component: Glance, props: { view: high, now } },
  { name: 'child-glance-old', component: Glance, props: { view: stale, now: stale.now } },
  { name: 'child-glance-none', component: Glance, props: { view: empty, now } },
  { name: 'child-ahead', component: Ahead, props: { view, now } },
  { name: 'child-chat', component: Chat, props: { label: 'Lily', talk: never, first } },
  { name: 'child-play', component: Play, props: { played } },
  { name: 'child-play-new', component: Play, props: { played: { ...played, points: 0, today: 0, days_in_a_row: 0, badges: [] } } },
  { name: 'child-lessons', component: Lessons, props: { lessons, learn: never } },
  { name: 'child-lesson', component: Lessons, props: { lessons, learn: never, first: lesson } },
] satisfies Entry[]
