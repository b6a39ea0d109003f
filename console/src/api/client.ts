/** Calls to the server this page came from; the only file that knows addresses. */
import type { Decide, ForkView, Meta, Problem, Proposal, Scenario, Suppose, TwinSummary, View, Why } from './types'

/** What the server said is wrong, or that it could not be reached. */
export class Failed extends Error {
  constructor(
    readonly problem: Problem,
    readonly status = 0,
  ) {
    super(problem.message)
  }
}

const address = (path: string): URL => new URL(`api/${path}`, document.baseURI)
const of = (twin: string, path: string): string => `twins/${encodeURIComponent(twin)}/${path}`

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  let answer: Response
  try {
    answer = await fetch(address(path), {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    })
  } catch {
    throw new Failed({ message: 'The server cannot be reached.', kind: 'unavailable', asked: null, possible: null })
  }
  if (answer.ok) return (answer.status === 204 ? undefined : await answer.json()) as T
  const said = (await answer.json().catch(() => null)) as { error?: Problem } | null
  const plain = { message: `The server answered ${answer.status}.`, kind: 'unavailable', asked: null, possible: null }
  throw new Failed(said?.error ?? plain, answer.status)
}

export const api = {
  meta: () => call<Meta>('GET', 'meta'),
  twins: () => call<TwinSummary[]>('GET', 'twins'),
  view: (twin: string, hours: number) => call<View>('GET', of(twin, `view?hours=${hours}`)),
  why: (twin: string, seq: number) => call<Why>('GET', of(twin, `why/${seq}`)),
  scenarios: (twin: string) => call<Scenario[]>('GET', of(twin, 'scenarios')),
  decide: (twin: string, seq: number, body: Decide) =>
    call<Proposal>('POST', of(twin, `proposals/${seq}/decision`), body),
  suppose: (twin: string, body: Suppose) => call<ForkView>('POST', of(twin, 'suppose'), body),
  remove: (twin: string, fork: string) => call<void>('DELETE', of(twin, `forks/${encodeURIComponent(fork)}`)),
}

/** Open the live socket of a twin. */
export function openLive(twin: string, hours: number): WebSocket {
  const url = address(of(twin, `live?hours=${hours}`))
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  return new WebSocket(url)
}
