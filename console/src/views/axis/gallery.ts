import { empty, now, stale, view, type Entry } from '../../gallery/entry'
import Axis from './Axis.svelte'

export default [
  { name: 'axis', component: Axis, props: { view, now } },
  { name: 'axis-stale', component: Axis, props: { view: stale, now: stale.now } },
  { name: 'axis-empty', component: Axis, props: { view: empty, now } },
] satisfies Entry[]
