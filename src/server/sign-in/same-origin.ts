import { FleetPromptError } from "../../errors.ts"

const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS"])

/**
 * Refuses a request that another site made a browser send with our cookie. A browser says where a request that
 * changes something comes from; one that does not say is refused as well.
 *
 * @throws FleetPromptError `forbidden`
 */
export function checkSameOrigin(request: Request, origin: string): void {
  if (SAFE_METHODS.has(request.method)) return
  if (originOf(request.headers) === origin) return
  throw new FleetPromptError(
    "forbidden",
    `expected a request from a page of ${origin}, since it comes with a session's cookie; use an API key from elsewhere`,
  )
}

function originOf(headers: Headers): string | undefined {
  const origin = headers.get("origin")
  if (origin !== null) return origin
  const referer = headers.get("referer")
  return referer !== null && URL.canParse(referer) ? new URL(referer).origin : undefined
}

/** Where to go after signing in: a path of our own, whatever was asked for. */
export function ownPath(asked: string | undefined, origin: string): string {
  if (asked === undefined || !asked.startsWith("/") || !URL.canParse(asked, origin)) return "/"
  const url = new URL(asked, origin)
  // A path that begins with two slashes is read as a host by whoever reads it again.
  return url.origin === origin && !url.pathname.startsWith("//") ? `${url.pathname}${url.search}${url.hash}` : "/"
}
