import axe from "axe-core"
import type { Page } from "playwright-core"

interface AxeResults {
  readonly violations: readonly {
    readonly id: string
    readonly impact: string
    readonly nodes: readonly { readonly html: string }[]
  }[]
}

/** What axe-core objects to in a page, of whatever weight, each with the first element concerned. */
export async function barriers(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe.source)
  const { violations } = await page.evaluate<AxeResults>(`axe.run({ resultTypes: ["violations"] })`)
  return violations.map(({ id, impact, nodes }) => `${impact}: ${id} at ${nodes[0]?.html}`)
}
