/** Numbers as text. */
const formats = new Map<number, Intl.NumberFormat>()

export function fixed(value: number, decimals = 0): string {
  let format = formats.get(decimals)
  if (!format) {
    format = new Intl.NumberFormat(undefined, { minimumFractionDigits: decimals, maximumFractionDigits: decimals })
    formats.set(decimals, format)
  }
  return format.format(value === 0 ? 0 : value)
}

const shortFormat = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 })

/** As many decimals as it needs, at most two. */
export const short = (value: number): string => shortFormat.format(value)

export const percent = (share: number): string => `${fixed(100 * share)} %`

/** With its sign, a true minus, and none for what rounds to nothing. */
export function signed(value: number, decimals = 0): string {
  const text = fixed(Math.abs(value), decimals)
  if (Number(Math.abs(value).toFixed(decimals)) === 0) return '±0'
  return `${value < 0 ? '−' : '+'}${text}`
}
