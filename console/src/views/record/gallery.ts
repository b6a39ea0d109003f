import { empty, view, type Entry } from '../../gallery/entry'
import Record from './Record.svelte'

export default [
  { name: 'record', component: Record, props: { view } },
  { name: 'record-none', component: Record, props: { view: empty } },
] satisfies Entry[]
