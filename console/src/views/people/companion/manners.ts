/** How Sunny is with one person, by the tools `companion` and `set_companion`. */
export interface Manners {
  unit: 'mg/dL' | 'mmol/L'
  timezone: string
  /** Whether a holder has set the time zone. */
  timezone_set: boolean
  emergency: string
  keep_words: boolean
  large_model: boolean
  /** Whether whoever runs the server has named a large model at all. */
  large_model_named: boolean
}

export type Wanted = Partial<Pick<Manners, 'unit' | 'timezone' | 'emergency' | 'keep_words' | 'large_model'>>

/** Return what differs: only that is said. */
export function changed(before: Manners, after: Wanted): Wanted {
  return Object.fromEntries(Object.entries(after).filter(([name, value]) => name === 'timezone' ? value !== before.timezone || !before.timezone_set : value !== before[name as keyof Manners]))
}
