import { never, now, type Entry } from '../../../gallery/entry'
import { members, played, roles, rules } from '../fixture'
import Points from './Points.svelte'
import RuleForm from './RuleForm.svelte'
import Rules from './Rules.svelte'
import Team from './Team.svelte'

export default [
  { name: 'team', component: Team, props: { members, roles, actor: 'sarah', keys: true, join: never, leave: never } },
  { name: 'team-read', component: Team, props: { members, roles, actor: 'dr-lee', keys: false, join: never, leave: never } },
  { name: 'points', component: Points, props: { played, tune: never } },
  { name: 'rules', component: Rules, props: { rules, members, roles, keys: true, now, add: never, change: never, remove: never } },
  { name: 'rule-form', component: RuleForm, props: { rule: rules[1], members, roles, label: 'Change the rule', send: never } },
] satisfies Entry[]
