/** Calls to the server this page came from; the only file that knows addresses. */
import type {
  CaseJourney,
  Decide,
  Doors,
  ForkView,
  FrontierView,
  MemoryView,
  Meta,
  Problem,
  Proposal,
  ProposalForks,
  Scenario,
  ServiceCases,
  ServiceDay,
  ServiceView,
  Suppose,
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

/** What to do when the server asks for a login. */
let locked = (): void => {}
export const onLocked = (then: () => void): void => void (locked = then)

function address(path: string): URL {
  const url = new URL(`api/${path}`, document.baseURI)
  const purpose = sessionStorage.getItem(PURPOSE)
  if (purpose) url.searchParams.set('purpose', purpose)
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
}

/** Open the live socket of a twin. */
export function openLive(twin: string, hours: number): WebSocket {
  const url = address(of(twin, `live?hours=${hours}`))
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  return new WebSocket(url)
}
