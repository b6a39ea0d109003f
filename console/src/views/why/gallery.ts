import { now, why, type Entry } from '../../gallery/entry'
import Causes from './Causes.svelte'

export default [{ name: 'why', component: Causes, props: { why, now } }] satisfies Entry[]
