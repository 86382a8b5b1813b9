const BEARER = /^bearer +([^\s]{1,20000})$/i

/** The token that a request shows as `Authorization: Bearer …`, or undefined. */
export function bearerOf(request: Request): string | undefined {
  return BEARER.exec(request.headers.get("authorization") ?? "")?.[1]
}
