/** A media type as a codec sees it. */
export interface MediaType {
  /** Type and subtype in lower case, without parameters. */
  readonly essence: string
  /** The parameter `charset`, if there is one. */
  readonly charset: string | undefined
  /** What its bytes are. */
  readonly kind: "json" | "text" | "bytes"
}

const CHARSET = /;\s*charset\s*=\s*"?([^\s";]+)/i
/** A subtype `json` or one that ends with `+json`: section 3.1.1 of the CloudEvents JSON format. */
const JSON_TYPE = /^[^/]+\/(?:json|[^/]+\+json)$/
const TEXT_TYPE = /^(?:text\/.+|[^/]+\/(?:xml|[^/]+\+xml))$/

/** Reads a Content-Type. What names a charset is text, whatever its type. */
export function parseMediaType(value: string): MediaType {
  const essence = (value.split(";", 1)[0] ?? "").trim().toLowerCase()
  const charset = CHARSET.exec(value)?.[1]
  return { essence, charset, kind: kindOf(essence, charset) }
}

function kindOf(essence: string, charset: string | undefined): MediaType["kind"] {
  if (JSON_TYPE.test(essence)) return "json"
  return TEXT_TYPE.test(essence) || charset !== undefined ? "text" : "bytes"
}
