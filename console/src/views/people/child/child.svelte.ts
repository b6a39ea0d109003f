/** What a child's page shows beside the view: play and lessons, by the tools of those names. */
import { api } from '../../../api/client'
import { zone } from '../../../parts/time'
import { quietly } from '../people.svelte'

export interface Played {
  on: boolean
  points: number
  today: number
  days_in_a_row: number
  badges: { name: string; label: string }[]
  /** Points for each deed. */
  worth: Record<string, number>
}

export interface Lesson {
  name: string
  title: string
  text: string
  question: string
  answers: string[]
  right?: boolean
}

export class Games {
  played = $state.raw<Played | null>(null)
  lessons = $state.raw<{ name: string; title: string }[]>([])

  constructor(
    readonly twin: string,
    readonly tools: ReadonlySet<string>,
  ) {}

  async load(): Promise<void> {
    const [, told] = await Promise.all([
      this.refresh(),
      this.tools.has('learn') ? quietly(api.ask<{ lessons: { name: string; title: string }[] }>(this.twin, 'learn')) : null,
    ])
    this.lessons = told?.lessons ?? []
  }

  async refresh(): Promise<void> {
    if (this.tools.has('play')) this.played = (await quietly(api.ask<Played>(this.twin, 'play', { timezone: zone() }))) ?? this.played
  }

  async learn(lesson: string, answer?: number): Promise<Lesson> {
    const told = await api.ask<Lesson>(this.twin, 'learn', answer === undefined ? { lesson } : { lesson, answer })
    if (told.right) await this.refresh()
    return told
  }
}
