import { never, now, type Entry } from '../../../gallery/entry'
import { guarded } from '../fixture'
import Watch from './Watch.svelte'

export default [
  { name: 'watch', component: Watch, props: { view: guarded, now, take: never } },
  { name: 'watch-calm', component: Watch, props: { view: { ...guarded, alerts: [] }, now, take: never } },
] satisfies Entry[]
