import { never, now, type Entry } from '../../../gallery/entry'
import { plan } from '../fixture'
import Changes from './Changes.svelte'
import Propose from './Propose.svelte'
import Settings from './Settings.svelte'

export default [
  { name: 'plan', component: Settings, props: { plan, now } },
  { name: 'plan-none', component: Settings, props: { plan: { ...plan, settings: {}, notes: {}, changes: [] }, now } },
  { name: 'plan-changes', component: Changes, props: { plan, now, settle: never } },
  { name: 'plan-changes-read', component: Changes, props: { plan: { ...plan, may_decide: false }, now, settle: never } },
  { name: 'plan-propose', component: Propose, props: { plan, propose: never } },
] satisfies Entry[]
