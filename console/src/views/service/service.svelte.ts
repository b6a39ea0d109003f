/** All that the page shows of a service beside its view: asked for again as the view moves on, never twice at once. */
import { api, Failed } from '../../api/client'
import type { FrontierView, MemoryView, ProposalForks, ServiceCases, ServiceDay, ServiceView, View } from '../../api/types'
import { HOUR, zone } from '../../parts/time'

const OFTEN = 2_500
const SELDOM = 30_000

export class Watched {
  service = $state.raw<ServiceView | null>(null)
  day = $state.raw<ServiceDay | null>(null)
  cases = $state.raw<ServiceCases | null>(null)
  forks = $state.raw<ProposalForks[]>([])
  memory = $state.raw<MemoryView | null>(null)
  frontier = $state.raw<FrontierView | null>(null)
  problem = $state('')

  #asked = 0
  #seldom = 0
  #hour = 0
  #open = ''
  #busy = false
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(readonly twin: string) {}

  /** Ask again, soon: the view has changed. */
  follow(view: View): void {
    clearTimeout(this.#timer)
    const due = Math.max(this.#asked + OFTEN - Date.now(), 0)
    this.#timer = setTimeout(() => void this.#ask(view), this.#busy ? OFTEN : due)
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  async #ask(view: View): Promise<void> {
    if (this.#busy || document.visibilityState === 'hidden') return
    this.#busy = true
    this.#asked = Date.now()
    try {
      this.service = await api.service(this.twin)
      this.problem = ''
      await Promise.all([this.#inside(), this.#days(view.now), this.#decisions(view)])
    } catch (error) {
      if (!(error instanceof Failed)) throw error
      this.problem = error.message
    } finally {
      this.#busy = false
    }
  }

  async #inside(): Promise<void> {
    this.cases = await quietly(api.cases(this.twin))
  }

  async #days(now: number): Promise<void> {
    const hour = Math.floor(now / (HOUR / 4))
    if (hour === this.#hour) return
    this.#hour = hour
    this.day = await quietly(api.day(this.twin, zone()))
  }

  /** Proposals are tried anew when others are open, and now and then as the service moves on. */
  async #decisions(view: View): Promise<void> {
    const open = view.proposals.filter(({ status }) => status === 'open').map(({ seq }) => seq)
    if (open.join() === this.#open && Date.now() - this.#seldom < SELDOM) return
    this.#seldom = Date.now()
    this.#open = open.join()
    const [forks, memory, frontier] = await Promise.all([
      open.length ? quietly(api.tried(this.twin)) : [],
      quietly(api.memory(this.twin, open[0])),
      quietly(api.frontier(this.twin)),
    ])
    this.forks = forks ?? []
    this.memory = memory
    this.frontier = frontier
  }
}

/** Return an answer, or null where it may not be seen or there is none: its panel is then left out. */
async function quietly<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof Failed && (error.status === 403 || error.status === 404)) return null
    throw error
  }
}
