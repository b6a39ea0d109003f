import { never, now, type Entry } from '../../../gallery/entry'
import { notices } from '../fixture'
import List from './List.svelte'

export default [
  { name: 'notices', component: List, props: { notices, now, take: never } },
  { name: 'notices-none', component: List, props: { notices: [], now, take: never } },
] satisfies Entry[]
