/** One twin's view, kept in step: read once, then pushed; reconnects by itself and says so. */
import { api, Failed, openLive } from './client'
import type { Proposal, Push, View } from './types'

export type Connection = 'connecting' | 'live' | 'reconnecting'

const HOURS = 24
/* Answers that trying again does not change: erased, or no longer allowed. What was shown is then taken away. */
const REFUSALS = new Set([400, 401, 403, 404, 409, 410, 422])
/* Where the refusal may be for these hours only, one looks again; seldom, for each refusal is on record. */
const AGAIN_REFUSED = 300_000
const FIRST_RETRY = 500
const LAST_RETRY = 10_000

export class Live {
  view = $state.raw<View | null>(null)
  problem = $state.raw<Failed | null>(null)
  connection = $state<Connection>('connecting')
  /** The twin's time, moved on between pushes; it keeps going while disconnected so that readings visibly age. */
  now = $state(0)

  #socket: WebSocket | null = null
  #received = 0
  #retry = FIRST_RETRY
  #joining = false
  #stopped = false
  #timer: ReturnType<typeof setTimeout> | undefined
  #ticker: ReturnType<typeof setInterval> | undefined

  constructor(readonly twin: string) {}

  start(): () => void {
    void this.#connect()
    this.#ticker = setInterval(() => this.#tick(), 1000)
    addEventListener('online', this.#again)
    addEventListener('offline', this.#lost)
    document.addEventListener('visibilitychange', this.#again)
    return () => this.#stop()
  }

  /** Show a decided proposal at once; the next push confirms it. */
  replace(proposal: Proposal): void {
    if (!this.view) return
    const proposals = this.view.proposals.map((old) => (old.seq === proposal.seq ? proposal : old))
    this.view = { ...this.view, proposals }
  }

  async refresh(): Promise<void> {
    this.#take(await api.view(this.twin, HOURS))
  }

  async #connect(): Promise<void> {
    if (this.#joining || this.#stopped) return
    clearTimeout(this.#timer)
    this.#joining = true
    try {
      await this.refresh()
    } catch (error) {
      if (!(error instanceof Failed)) throw error
      if (REFUSALS.has(error.status)) {
        this.view = null
        this.problem = error
        if (error.status === 403) this.#timer = setTimeout(() => void this.#connect(), AGAIN_REFUSED)
        return
      }
      if (!this.view) this.problem = error
      this.#later()
      return
    } finally {
      this.#joining = false
    }
    if (this.#stopped) return
    const socket = openLive(this.twin, HOURS)
    this.#socket = socket
    socket.onopen = () => {
      this.connection = 'live'
      this.#retry = FIRST_RETRY
    }
    socket.onmessage = (event) => this.#take((JSON.parse(event.data as string) as Push).view)
    socket.onclose = () => {
      if (this.#socket === socket) this.#later()
    }
  }

  #take(view: View): void {
    this.view = view
    this.problem = null
    this.#received = Date.now()
    this.#tick()
  }

  #tick(): void {
    if (!this.view) return
    const now = this.view.now + (Date.now() - this.#received) * this.view.speed
    if (Math.abs(now - this.now) >= 5_000) this.now = now
  }

  #later(): void {
    this.#socket = null
    this.connection = 'reconnecting'
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#connect(), this.#retry * (0.75 + Math.random() / 2))
    this.#retry = Math.min(this.#retry * 2, LAST_RETRY)
  }

  #again = (): void => {
    if (document.visibilityState !== 'visible' || !this.view) return
    if (this.connection === 'reconnecting') void this.#connect()
    else this.refresh().catch(this.#lost)
  }

  #lost = (): void => this.#socket?.close()

  #stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    clearInterval(this.#ticker)
    removeEventListener('online', this.#again)
    removeEventListener('offline', this.#lost)
    document.removeEventListener('visibilitychange', this.#again)
    const socket = this.#socket
    this.#socket = null
    socket?.close()
  }
}
