import { never, type Entry } from '../../../gallery/entry'
import { manner } from '../fixture'
import Manner from './Manner.svelte'
import Settings from './Settings.svelte'

export default [
  { name: 'companion-manner', component: Manner, props: { manner } },
  { name: 'companion-manner-leaving', component: Manner, props: { manner: { ...manner, large_model: true, keep_words: true, timezone_set: false } } },
  { name: 'companion-settings', component: Settings, props: { manner, change: never } },
] satisfies Entry[]
