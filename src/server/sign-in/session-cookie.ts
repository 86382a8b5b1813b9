import { createHmac, timingSafeEqual } from "node:crypto"

/** How the session's cookie is named and signed. */
export interface SessionCookie {
  readonly name: string
  /** Text of a `Set-Cookie` header with a token. */
  readonly set: (token: string, maxAgeMs: number) => string
  /** Text of a `Set-Cookie` header that removes it. */
  readonly clear: string
  /** The token in a request's cookie when its signature is right. */
  readonly read: (request: Request) => string | undefined
}

/** No cookie of ours is longer, so that nothing longer is looked at. */
const MAX_LENGTH = 512

/**
 * What all cookies of sign-in begin with. `__Host-` makes browsers insist on https, on this very host and on the whole
 * host, so that no other host of the domain can plant one. Browsers take no such cookie over plain http, so on
 * this machine without https it is another name.
 */
export function cookiePrefix(isSecure: boolean): string {
  return isSecure ? "__Host-fleetprompt" : "fleetprompt-dev"
}

/** The session's cookie, in the form that better-auth writes: the token, a dot, its HMAC-SHA-256 in base64. */
export function sessionCookie(secret: string, isSecure: boolean): SessionCookie {
  const name = `${cookiePrefix(isSecure)}.session_token`
  const attributes = `; Path=/; HttpOnly; SameSite=Lax${isSecure ? "; Secure" : ""}`
  const sign = (token: string): string => createHmac("sha256", secret).update(token).digest("base64")
  return {
    name,
    set: (token, maxAgeMs) =>
      `${name}=${encodeURIComponent(`${token}.${sign(token)}`)}; Max-Age=${Math.floor(maxAgeMs / 1000)}${attributes}`,
    clear: `${name}=; Max-Age=0${attributes}`,
    read: (request) => {
      const value = cookieOf(request, name)
      const dot = value?.lastIndexOf(".") ?? -1
      if (value === undefined || dot < 1) return undefined
      const token = value.slice(0, dot)
      return isEqual(value.slice(dot + 1), sign(token)) ? token : undefined
    },
  }
}

/** The value of a request's cookie; undefined when there is none or more than one, which no browser of ours sends. */
export function cookieOf(request: Request, name: string): string | undefined {
  const found = (request.headers.get("cookie") ?? "")
    .split(";")
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
  const [pair] = found
  if (pair === undefined || found.length > 1 || pair.length > MAX_LENGTH) return undefined
  try {
    return decodeURIComponent(pair.slice(name.length + 1))
  } catch {
    return undefined
  }
}

/** Compares two texts in a time that does not tell where they differ. */
export function isEqual(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}
