import { empty, never, now, scenarios, view, type Entry } from '../../gallery/entry'
import Suppose from './Suppose.svelte'

const rest = { now, suppose: never, remove: never }
export default [
  { name: 'suppose', component: Suppose, props: { ...rest, view, scenarios: async () => scenarios } },
  { name: 'suppose-none', component: Suppose, props: { ...rest, view: empty, scenarios: async () => [] } },
] satisfies Entry[]
