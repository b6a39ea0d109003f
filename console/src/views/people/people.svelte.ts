/** Who is around a twin and what they share: asked once, and again when the twin changes, as far as the asker may see. */
import { api, Failed } from '../../api/client'
import type { MemberView, PaperView, PlanView, RoleView, View } from '../../api/types'

const OFTEN = 5_000

export type Tab = 'own' | 'day' | 'review' | 'plan' | 'team'

export class People {
  plan = $state.raw<PlanView | null>(null)
  team = $state.raw<MemberView[]>([])
  roles = $state.raw<RoleView[]>([])
  papers = $state.raw<PaperView[]>([])
  tools = $state.raw<ReadonlySet<string>>(new Set())
  /** Whether it is known which screens there are. */
  ready = $state(false)

  #asked = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(readonly twin: string) {}

  /** Ask what there is around a twin; a service has no care team, and who sees alerts only has no more to see. */
  async load(view: View): Promise<void> {
    if (this.ready) return
    try {
      if (!view.eventful && Object.keys(view.signals).length) await this.#all()
    } finally {
      this.ready = true
    }
  }

  async #all(): Promise<void> {
    this.#asked = Date.now()
    this.plan = await quietly(api.plan(this.twin))
    if (!this.plan || !Object.keys(this.plan.settings).length) return
    const [team, roles, papers, tools] = await Promise.all([
      quietly(api.team(this.twin)),
      quietly(api.roles(this.twin)),
      quietly(api.papers(this.twin)),
      quietly(api.tools(this.twin)),
    ])
    this.team = team ?? []
    this.roles = roles ?? []
    this.papers = papers ?? []
    this.tools = new Set((tools ?? []).map(({ name }) => name))
  }

  /** Ask again for the plan, soon: the twin has changed. */
  follow(): void {
    if (!this.ready || !this.shared) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.refresh(), Math.max(this.#asked + OFTEN - Date.now(), 0))
  }

  async refresh(): Promise<void> {
    this.#asked = Date.now()
    this.plan = (await quietly(api.plan(this.twin))) ?? this.plan
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  /** Whether there is a care plan to share at all. */
  get shared(): boolean {
    return this.plan !== null && Object.keys(this.plan.settings).length > 0
  }

  member(actor: string): MemberView | undefined {
    return this.team.find((one) => one.actor === actor)
  }

  /** Whether *actor* holds the twin's keys, and so says who is in the team and who is told. */
  keys(actor: string): boolean {
    const role = this.member(actor)?.role
    return role === 'holder' || this.roles.some((one) => one.keys && one.name === role)
  }

  /** The screens that make sense for *actor*, the first of them first. */
  tabs(actor: string): Tab[] {
    if (!this.shared || !this.plan) return ['day']
    const own = actor === this.twin
    const holds = this.keys(actor)
    const reviews = this.plan.may_propose && !own
    return [
      ...(own && this.tools.has('play') ? (['own'] as const) : []),
      ...(reviews && !holds ? (['review'] as const) : []),
      'day',
      'plan',
      ...(reviews && holds ? (['review'] as const) : []),
      ...(this.team.length && (!own || holds) ? (['team'] as const) : []),
      ...(holds && !own && this.tools.has('play') ? (['own'] as const) : []),
    ]
  }
}

/** Return an answer, or null where it may not be seen or there is none. */
export async function quietly<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof Failed) return null
    throw error
  }
}
