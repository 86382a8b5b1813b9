/** The middle value; of an even number the mean of the two. `undefined` of none. */
export function median(values: readonly number[]): number | undefined {
  return percentile(values, 0.5)
}

/** The value that such a share of the values do not exceed, between two neighbours by proportion. */
export function percentile(values: readonly number[], share: number): number | undefined {
  const sorted = values.toSorted((one, other) => one - other)
  const rank = (sorted.length - 1) * share
  const below = sorted[Math.floor(rank)]
  const above = sorted[Math.ceil(rank)]
  if (below === undefined || above === undefined) return undefined
  return below + (above - below) * (rank - Math.floor(rank))
}
