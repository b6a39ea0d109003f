import { never, type Entry } from '../../gallery/entry'
import Login from './Login.svelte'

export default [
  { name: 'login', component: Login, props: { doors: { token: true, link: true, provider: null }, enter: never } },
  {
    name: 'login-provider',
    component: Login,
    props: {
      doors: { token: true, link: false, provider: 'login/provider' },
      said: 'This link was used already: take the one that was printed last.',
      enter: never,
    },
  },
] satisfies Entry[]
