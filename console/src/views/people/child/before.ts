/** What was said before the page was loaded: from the record where a holder wants words kept, else from this tab alone. */
import { api } from '../../../api/client'
import { TALKS } from '../../../api/tab'
import type { Said } from '../../../api/types'
import { quietly } from '../people.svelte'

export interface Bubble {
  who: 'me' | 'them'
  text: string
  reply?: Pick<Said, 'handed_over' | 'text'> & { tools: { tool: string; refused: string }[] }
}

export interface Before {
  /** Whether words are on record. */
  kept: boolean
  bubbles: Bubble[]
}

/** How many bubbles a tab remembers. */
const MOST = 100
const place = (twin: string, actor: string): string => `${TALKS}${JSON.stringify([twin, actor])}`

export async function recall(twin: string, actor: string): Promise<Before> {
  const told = await quietly(api.talked(twin))
  if (!told?.kept) return { kept: false, bubbles: held(twin, actor) }
  keep(twin, actor, [])
  const bubbles = told.exchanges.flatMap(({ said, answered, handed_over, tools }): Bubble[] => [
    { who: 'me', text: said },
    { who: 'them', text: answered, reply: { text: answered, handed_over, tools: tools.map((tool) => ({ tool, refused: '' })) } },
  ])
  return { kept: true, bubbles }
}

function held(twin: string, actor: string): Bubble[] {
  try {
    return JSON.parse(sessionStorage.getItem(place(twin, actor)) ?? '[]') as Bubble[]
  } catch {
    return []
  }
}

/** Remember bubbles in this tab until it is closed or its user logs out; none forgets them. */
export function keep(twin: string, actor: string, bubbles: Bubble[]): void {
  if (!bubbles.length) return sessionStorage.removeItem(place(twin, actor))
  const little = bubbles.slice(-MOST).map(({ who, text, reply }) => ({ who, text, ...(reply ? { reply: lean(reply) } : {}) }))
  try {
    sessionStorage.setItem(place(twin, actor), JSON.stringify(little))
  } catch {
    // There is no room: a reload forgets then.
  }
}

const lean = ({ text, handed_over, tools }: NonNullable<Bubble['reply']>): NonNullable<Bubble['reply']> => ({
  text,
  handed_over,
  tools: tools.map(({ tool, refused }) => ({ tool, refused })),
})
