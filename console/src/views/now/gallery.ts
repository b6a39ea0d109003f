import { empty, now, stale, view, type Entry } from '../../gallery/entry'
import Now from './Now.svelte'

export default [
  { name: 'now', component: Now, props: { view, now } },
  { name: 'now-stale', component: Now, props: { view: stale, now: stale.now } },
  { name: 'now-empty', component: Now, props: { view: empty, now } },
] satisfies Entry[]
