/** What this tab remembers of whoever is logged in: gone when they leave. */
export const TALKS = 'gemel-talk:'

/** Forget every conversation; whoever comes next shall not read it. */
export function forgetTalks(): void {
  for (const name of Object.keys(sessionStorage)) if (name.startsWith(TALKS)) sessionStorage.removeItem(name)
}
