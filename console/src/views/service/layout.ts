/** Places in layers from the way in to the way out; the same network is always drawn the same. */
import type { PlaceView, WayView } from '../../api/types'

export interface Spot {
  place: PlaceView
  layer: number
  row: number
}

/** Return each place's layer (the longest way there without turning back) and its row within the layer. */
export function spots(places: PlaceView[], ways: WayView[]): { spots: Map<string, Spot>; layers: string[][] } {
  const names = places.map(({ id }) => id)
  const onward = new Map(names.map((id) => [id, ways.filter((w) => w.start === id && w.end !== id).map((w) => w.end)]))
  const back = turningBack(names, onward)
  const forward = ways.filter((w) => w.start !== w.end && !back.has(`${w.start}>${w.end}`) && onward.has(w.end))
  const layer = new Map(names.map((id) => [id, 0]))
  for (let pass = 0; pass < names.length; pass++)
    for (const { start, end } of forward) layer.set(end, Math.max(layer.get(end)!, (layer.get(start) ?? 0) + 1))
  const last = Math.max(0, ...layer.values())
  if (layer.has('out')) layer.set('out', Math.max(last, 1))
  const layers: string[][] = Array.from({ length: Math.max(0, ...layer.values()) + 1 }, () => [])
  for (const id of names) layers[layer.get(id)!]!.push(id)
  const kept = layers.filter((row) => row.length)
  untangle(kept, forward)
  const found = new Map<string, Spot>()
  kept.forEach((row, k) =>
    row.forEach((id, n) => found.set(id, { place: places.find((p) => p.id === id)!, layer: k, row: n })),
  )
  return { spots: found, layers: kept }
}

/** Return the ways that lead back to a place on the way there. */
function turningBack(names: string[], onward: Map<string, string[]>): Set<string> {
  const back = new Set<string>()
  const done = new Set<string>()
  const path = new Set<string>()
  const visit = (id: string): void => {
    path.add(id)
    for (const to of onward.get(id) ?? []) {
      if (path.has(to)) back.add(`${id}>${to}`)
      else if (!done.has(to)) visit(to)
    }
    path.delete(id)
    done.add(id)
  }
  for (const id of ['in', ...names]) if (onward.has(id) && !done.has(id)) visit(id)
  return back
}

/** Order the rows of each layer by where their ways come from, so that few cross. */
function untangle(layers: string[][], ways: WayView[]): void {
  for (let k = 1; k < layers.length; k++) {
    const before = layers[k - 1]!
    const mean = (id: string): number => {
      const from = ways.filter((w) => w.end === id).map((w) => before.indexOf(w.start)).filter((n) => n >= 0)
      return from.length ? from.reduce((a, b) => a + b, 0) / from.length : layers[k]!.indexOf(id)
    }
    const rank = new Map(layers[k]!.map((id) => [id, mean(id)]))
    layers[k]!.sort((a, b) => rank.get(a)! - rank.get(b)!)
  }
}

/** Return the places passed from *start* to *end* along the ways, both included; those alone where no way leads there. */
export function route(ways: WayView[], start: string, end: string): string[] {
  const came = new Map<string, string>([[start, '']])
  const waiting = [start]
  while (waiting.length && !came.has(end)) {
    const here = waiting.shift()!
    for (const way of ways)
      if (way.start === here && !came.has(way.end)) {
        came.set(way.end, here)
        waiting.push(way.end)
      }
  }
  if (!came.has(end)) return [start, end]
  const found = [end]
  while (found[0] !== start) found.unshift(came.get(found[0]!)!)
  return found
}
