/** Light or dark: the system's choice until the viewer makes one, which is remembered. */
export type Theme = 'light' | 'dark'

const KEY = 'gemel-theme'
const system = matchMedia('(prefers-color-scheme: dark)')
const read = (): Theme | null => {
  const stored = localStorage.getItem(KEY)
  return stored === 'light' || stored === 'dark' ? stored : null
}

const state = $state<{ chosen: Theme | null; dark: boolean }>({ chosen: read(), dark: system.matches })
system.addEventListener('change', (event) => (state.dark = event.matches))

export const theme = (): Theme => state.chosen ?? (state.dark ? 'dark' : 'light')

export function applyTheme(): void {
  if (state.chosen) document.documentElement.dataset.theme = state.chosen
}

export function toggleTheme(): void {
  state.chosen = theme() === 'dark' ? 'light' : 'dark'
  localStorage.setItem(KEY, state.chosen)
  applyTheme()
}
