/** A panel in one state, as the gallery shows it and its test photographs it. */
import type { Component } from 'svelte'
import type { Scenario, View, Why } from '../api/types'
import fixture from './fixture.json'

export interface Entry {
  name: string
  component: Component<any>
  props: Record<string, unknown>
}

const given = fixture as unknown as { view: View; why: Why; scenarios: Scenario[] }
export const { view, why, scenarios } = given
export const now = view.now

const none = { readings: {}, actions: {}, forecast: null, forks: [], proposals: [], alerts: [], scores: [], past_forecasts: [] }
/** Before the first reading. */
export const empty: View = { ...view, ...none }
/** The sensor has been silent for 40 minutes. */
export const stale: View = {
  ...view,
  now: now + 40 * 60_000,
  forecast: null,
  forks: [],
  fallback: 'No reading for 40 minutes, so nothing is forecast. Basal stays on its usual profile.',
  alerts: [
    { seq: 1, at: now + 25 * 60_000, severity: 'urgent', text: 'No reading for 40 minutes: check the sensor', active: true, acknowledged_by: '', note: '' },
    ...view.alerts,
  ],
}

export const never = (): Promise<never> => new Promise(() => {})
export const nothing = (): void => {}
