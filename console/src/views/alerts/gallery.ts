import { empty, never, nothing, stale, view, now, type Entry } from '../../gallery/entry'
import Alerts from './Alerts.svelte'
import Banner from './Banner.svelte'

export default [
  { name: 'alerts', component: Alerts, props: { view, now, why: nothing } },
  { name: 'alerts-care', component: Alerts, props: { view, now, why: nothing, take: never } },
  { name: 'alerts-none', component: Alerts, props: { view: empty, now, why: nothing } },
  { name: 'banner', component: Banner, props: { view: stale, now: stale.now } },
] satisfies Entry[]
