import '../theme/tokens.css'
import '../theme/base.css'
import '../views/people/people.css'
import { mount } from 'svelte'
import { applyTheme } from '../theme/theme.svelte'
import type { Entry } from './entry'
import Gallery from './Gallery.svelte'

const found = import.meta.glob<{ default: Entry[] }>(['../views/*/gallery.ts', '../views/people/*/gallery.ts'], { eager: true })

applyTheme()
mount(Gallery, {
  target: document.getElementById('app')!,
  props: { entries: Object.values(found).flatMap((module) => module.default) },
})
