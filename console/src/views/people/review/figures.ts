/** Figures of a stretch of time and of the one before it, by the tool `history`. */
import { api } from '../../../api/client'
import { quietly } from '../people.svelte'

export interface History {
  readings: number
  mean?: number
  metrics: Record<string, { value: number; unit: string; label: string }>
}

export interface Stretches {
  now: History | null
  before: History | null
}

export async function figures(twin: string, signal: string, days: number): Promise<Stretches> {
  const hours = days * 24
  const [now, before] = await Promise.all([
    quietly(api.ask<History>(twin, 'history', { signal, hours })),
    quietly(api.ask<History>(twin, 'history', { signal, hours, ended: hours })),
  ])
  return { now, before }
}
