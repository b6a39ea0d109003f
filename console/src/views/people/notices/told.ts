/** Notices, one for each alert: the latest of what was said of it. */
import type { NoticeView } from '../../../api/types'

/** Return of each twin's alerts the latest notice, newest first. */
export function told(notices: NoticeView[]): NoticeView[] {
  const latest = new Map<string, NoticeView>()
  for (const one of notices.toSorted((a, b) => b.seq - a.seq)) {
    const key = JSON.stringify([one.twin, one.alert])
    if (!latest.has(key)) latest.set(key, one)
  }
  return [...latest.values()]
}

/** Return those that nobody takes care of, and that are not over. */
export const waiting = (notices: NoticeView[]): NoticeView[] => notices.filter((one) => !one.over && !one.acknowledged_by)
