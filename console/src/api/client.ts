/** Calls to the server this page came from; the only file that knows addresses. */
import type {
  AlertView,
  CaseJourney,
  ChangeBody,
  ChangeView,
  Decide,
  Doors,
  ForkView,
  FrontierView,
  HandOver,
  Join,
  MemberView,
  MemoryView,
  Meta,
  NoticeView,
  PaperView,
  PlanView,
  Problem,
  Proposal,
  ProposalForks,
  Reach,
  ReachBody,
  ReachView,
  ReviewBody,
  ReviewView,
  RoleView,
  RuleBody,
  RuleView,
  Said,
  Scenario,
  ServiceCases,
  ServiceDay,
  ServiceView,
  Suppose,
  Talked,
  ToolView,
  TwinSummary,
  View,
  Why,
} from './types'

/** What the server said is wrong, or that it could not be reached. */
export class Failed extends Error {
  constructor(
    readonly problem: Problem,
    readonly status = 0,
  ) {
    super(problem.detail)
  }
}

/** Where the purpose that was chosen is kept: for this tab. */
const PURPOSE = 'gemel-purpose'
export const choosePurpose = (purpose: string): void => sessionStorage.setItem(PURPOSE, purpose)

/** As whom a demonstration is looked at: for this tab. */
const ACTOR = 'gemel-as'
export function chooseActor(actor: string): void {
  choosePurpose('')
  sessionStorage.setItem(ACTOR, actor)
}

/** What to do when the server asks for a login. */
let locked = (): void => {}
export const onLocked = (then: () => void): void => void (locked = then)

function address(path: string): URL {
  const url = new URL(`api/${path}`, document.baseURI)
  const [purpose, actor] = [sessionStorage.getItem(PURPOSE), sessionStorage.getItem(ACTOR)]
  if (purpose) url.searchParams.set('purpose', purpose)
  if (actor) url.searchParams.set('as', actor)
  return url
}
const of = (twin: string, path: string): string => `twins/${encodeURIComponent(twin)}/${path}`

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  let answer: Response
  try {
    answer = await fetch(address(path), {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    })
  } catch {
    throw new Failed(unknown('The server cannot be reached.', 0))
  }
  if (answer.ok) return (answer.status === 204 ? undefined : await answer.json()) as T
  const said = (await answer.json().catch(() => null)) as Problem | null
  if (answer.status === 401) locked()
  throw new Failed(said?.detail ? said : unknown(`The server answered ${answer.status}.`, answer.status), answer.status)
}

function unknown(detail: string, status: number): Problem {
  return { type: 'about:blank', title: '', status, detail, kind: 'unavailable', asked: null, possible: null }
}

export const api = {
  doors: () => call<Doors>('GET', 'login'),
  login: (token: string) => call<void>('POST', 'login', { token }),
  logout: () => call<void>('POST', 'logout'),
  meta: () => call<Meta>('GET', 'meta'),
  twins: () => call<TwinSummary[]>('GET', 'twins'),
  view: (twin: string, hours: number) => call<View>('GET', of(twin, `view?hours=${hours}`)),
  why: (twin: string, seq: number) => call<Why>('GET', of(twin, `why/${seq}`)),
  scenarios: (twin: string) => call<Scenario[]>('GET', of(twin, 'scenarios')),
  decide: (twin: string, seq: number, body: Decide) =>
    call<Proposal>('POST', of(twin, `proposals/${seq}/decision`), body),
  suppose: (twin: string, body: Suppose) => call<ForkView>('POST', of(twin, 'suppose'), body),
  remove: (twin: string, fork: string) => call<void>('DELETE', of(twin, `forks/${encodeURIComponent(fork)}`)),
  service: (twin: string) => call<ServiceView>('GET', of(twin, 'service')),
  day: (twin: string, zone: string) => call<ServiceDay>('GET', of(twin, `service/day?zone=${encodeURIComponent(zone)}`)),
  cases: (twin: string) => call<ServiceCases>('GET', of(twin, 'service/cases')),
  journey: (twin: string, name: string) => call<CaseJourney>('GET', of(twin, `service/cases/${encodeURIComponent(name)}`)),
  tried: (twin: string) => call<ProposalForks[]>('GET', of(twin, 'service/proposals')),
  frontier: (twin: string) => call<FrontierView | null>('GET', of(twin, 'service/frontier')),
  memory: (twin: string, proposal?: number) =>
    call<MemoryView>('GET', of(twin, proposal === undefined ? 'memory' : `memory?proposal=${proposal}`)),
  notices: () => call<NoticeView[]>('GET', 'notices'),
  acknowledge: (twin: string, alert: number, note: string) =>
    call<AlertView>('POST', of(twin, `alerts/${alert}/acknowledgement`), { note }),
  handover: (twin: string) => call<HandOver>('GET', of(twin, 'handover')),
  rules: (twin: string) => call<RuleView[]>('GET', of(twin, 'alerting')),
  tell: (twin: string, body: RuleBody) => call<RuleView>('POST', of(twin, 'alerting'), body),
  retell: (twin: string, rule: string, body: RuleBody) =>
    call<RuleView>('PUT', of(twin, `alerting/${encodeURIComponent(rule)}`), body),
  untell: (twin: string, rule: string) => call<void>('DELETE', of(twin, `alerting/${encodeURIComponent(rule)}`)),
  reach: (twin: string) => call<Reach>('GET', of(twin, 'reach')),
  askReach: (twin: string, body: ReachBody) => call<ReachView>('POST', of(twin, 'reach'), body),
  confirmReach: (twin: string, way: string, code: string) =>
    call<ReachView>('POST', of(twin, `reach/${encodeURIComponent(way)}/confirmation`), { code }),
  endReach: (twin: string, way: string) => call<void>('DELETE', of(twin, `reach/${encodeURIComponent(way)}`)),
  team: (twin: string) => call<MemberView[]>('GET', of(twin, 'team')),
  roles: (twin: string) => call<RoleView[]>('GET', of(twin, 'roles')),
  join: (twin: string, body: Join) => call<MemberView[]>('POST', of(twin, 'team'), body),
  part: (twin: string, who: string) => call<void>('DELETE', of(twin, `team/${encodeURIComponent(who)}`)),
  plan: (twin: string) => call<PlanView>('GET', of(twin, 'plan')),
  change: (twin: string, body: ChangeBody) => call<ChangeView>('POST', of(twin, 'plan/changes'), body),
  settle: (twin: string, change: number, body: Decide) =>
    call<ChangeView>('POST', of(twin, `plan/changes/${change}/decision`), body),
  review: (twin: string, body: ReviewBody) => call<ReviewView>('POST', of(twin, 'plan/reviews'), body),
  tools: (twin: string) => call<ToolView[]>('GET', of(twin, 'tools')),
  ask: <T>(twin: string, tool: string, given: object = {}) =>
    call<T>('POST', of(twin, `tools/${encodeURIComponent(tool)}`), { given }),
  papers: (twin: string) => call<PaperView[]>('GET', of(twin, 'papers')),
  talked: (twin: string) => call<Talked>('GET', of(twin, 'talk')),
  talk: (twin: string, say: string, anew: boolean) => call<Said>('POST', of(twin, 'talk'), { say, anew }),
}

/** Where a paper about a twin is, for a frame or a link. */
export function paper(twin: string, name: string, days: number, zone: string, format: 'html' | 'pdf'): string {
  const asked = new URLSearchParams({ days: String(days), zone, format })
  return address(of(twin, `papers/${encodeURIComponent(name)}?${asked}`)).href
}

/** Open the live socket of a twin. */
export function openLive(twin: string, hours: number): WebSocket {
  const url = address(of(twin, `live?hours=${hours}`))
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  return new WebSocket(url)
}
