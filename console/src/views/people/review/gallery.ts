import { never, now, view, type Entry } from '../../../gallery/entry'
import { papers, plan } from '../fixture'
import Figures from './Figures.svelte'
import Papers from './Papers.svelte'
import Reviews from './Reviews.svelte'

const metrics = (shift: number) => Object.fromEntries(Object.entries(view.metrics ?? {}).map(([name, { unit, label }], i) => [name, { value: 71 - 20 * i + shift, unit, label }]))
const ask = async () => ({ now: { readings: 3980, metrics: metrics(0) }, before: { readings: 3911, metrics: metrics(-4.2) } })

export default [
  { name: 'figures', component: Figures, props: { view, ask } },
  { name: 'papers', component: Papers, props: { twin: 'lily', papers } },
  { name: 'reviews', component: Reviews, props: { plan, now, write: never } },
  { name: 'reviews-none', component: Reviews, props: { plan: { ...plan, reviews: [] }, now, write: null } },
] satisfies Entry[]
