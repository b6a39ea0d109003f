import { empty, never, nothing, now, view, type Entry } from '../../gallery/entry'
import Card from './Card.svelte'
import Proposals from './Proposals.svelte'

const rest = { decide: never, why: nothing, now }
export default [
  { name: 'proposals', component: Proposals, props: { ...rest, view } },
  { name: 'proposals-none', component: Proposals, props: { ...rest, view: empty } },
  ...view.proposals.map((proposal) => ({
    name: `proposal-${proposal.status}`,
    component: Card,
    props: { proposal, view, now, ask: nothing, why: nothing },
  })),
] satisfies Entry[]
