/**
 * A JSON pointer (RFC 6901) one step further.
 *
 * @example
 * pointerTo("/handlers/0", "on") // "/handlers/0/on"
 */
export function pointerTo(pointer: string, key: string | number): string {
  return `${pointer}/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`
}
