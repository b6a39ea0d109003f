import './theme/tokens.css'
import './theme/base.css'
import './views/people/people.css'
import { mount } from 'svelte'
import { applyTheme } from './theme/theme.svelte'
import App from './App.svelte'

applyTheme()
mount(App, { target: document.getElementById('app')! })
