import type { MembersDeps } from "../access/members.ts"

/** What the catalogue works with. */
export interface CatalogueDeps extends MembersDeps {
  /** Version of this platform, which packages may ask for. */
  readonly platform: string
}
