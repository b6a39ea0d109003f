import { never, now, type Entry } from '../../../gallery/entry'
import { notices, reach } from '../fixture'
import List from './List.svelte'
import Reach from './Reach.svelte'

export default [
  { name: 'notices', component: List, props: { notices, now, take: never } },
  { name: 'notices-none', component: List, props: { notices: [], now, take: never } },
  { name: 'notices-reach', component: Reach, props: { twin: 'lily', label: 'Lily', first: reach } },
  { name: 'notices-reach-none', component: Reach, props: { twin: 'lily', label: 'Lily', first: { possible: [], hosts: [], ways: [] } } },
] satisfies Entry[]
