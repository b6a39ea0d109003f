import type {
  CaseJourney, FrontierView, MemoryView, ProposalForks, ServiceCases, ServiceDay, ServiceView, View,
} from '../../api/types'
import { nothing, type Entry } from '../../gallery/entry'
import fixture from '../../gallery/service.json'
import Cases from './Cases.svelte'
import Day from './Day.svelte'
import Forks from './Forks.svelte'
import Frontier from './Frontier.svelte'
import Map from './Map.svelte'
import Memory from './Memory.svelte'
import Staff from './Staff.svelte'
import Station from './Station.svelte'

const given = fixture as unknown as {
  view: View
  service: ServiceView
  day: ServiceDay
  cases: ServiceCases
  journey: CaseJourney
  forks: ProposalForks[]
  memory: MemoryView
  frontier: FrontierView
}
const { service, cases, journey } = given
const now = service.now
const quiet: ServiceView = {
  ...service,
  inside: 0,
  moves: [],
  stations: service.stations.map((s) => ({ ...s, queue: 0, busy: 0, oldest: 0, risk: s.risk && { chance: 0, broken: false, at: null } })),
}
const ask = async (): Promise<CaseJourney> => journey
const worst = service.stations.toSorted((a, b) => (b.risk?.chance ?? 0) - (a.risk?.chance ?? 0))[0]!.name
const rest = { chosen: worst, choose: nothing }

export default [
  { name: 'service-map', component: Map, props: { ...rest, service } },
  { name: 'service-map-quiet', component: Map, props: { ...rest, service: quiet } },
  { name: 'service-station', component: Station, props: { ...rest, service, view: given.view } },
  { name: 'service-staff', component: Staff, props: { service } },
  { name: 'service-day', component: Day, props: { day: given.day } },
  { name: 'service-cases', component: Cases, props: { cases, ask, first: journey.id } },
  { name: 'service-cases-none', component: Cases, props: { cases: { ...cases, cases: [], total: 0 }, ask } },
  { name: 'service-forks', component: Forks, props: { forks: given.forks } },
  { name: 'service-memory', component: Memory, props: { memory: given.memory, now, about: 'now', why: nothing } },
  { name: 'service-frontier', component: Frontier, props: { frontier: given.frontier, now } },
] satisfies Entry[]
