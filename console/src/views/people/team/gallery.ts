import { never, now, type Entry } from '../../../gallery/entry'
import { grown, handed, members, played, roles, rules, silent } from '../fixture'
import Points from './Points.svelte'
import RuleForm from './RuleForm.svelte'
import Rules from './Rules.svelte'
import Team from './Team.svelte'

export default [
  { name: 'team', component: Team, props: { members, roles, handover: null, label: 'Lily', actor: 'sarah', keys: true, now, join: never, leave: never } },
  { name: 'team-read', component: Team, props: { members, roles, handover: null, label: 'Lily', actor: 'dr-lee', keys: false, now, join: never, leave: never } },
  { name: 'team-handed-over', component: Team, props: { members: grown, roles, handover: handed, label: 'Lily', actor: 'lily', keys: true, now, join: never, leave: never } },
  { name: 'rules-handed-over', component: Rules, props: { rules: silent, members: grown, roles, actor: 'lily', keys: true, now, add: never, change: never, remove: never } },
  { name: 'points', component: Points, props: { played, tune: never } },
  { name: 'rules', component: Rules, props: { rules, members, roles, actor: 'sarah', keys: true, now, add: never, change: never, remove: never } },
  { name: 'rule-form', component: RuleForm, props: { rule: rules[1], members, roles, label: 'Change the rule', send: never } },
] satisfies Entry[]
