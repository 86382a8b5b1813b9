import { FleetPromptError } from "../../errors.ts"

const ALGORITHMS = new Set([
  "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
  "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
  "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
  "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
  "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384",
  "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512",
  "http://www.w3.org/2001/04/xmlenc#sha256",
  "http://www.w3.org/2001/04/xmldsig-more#sha384",
  "http://www.w3.org/2001/04/xmlenc#sha512",
])
const METHODS = /<(?:[\w.-]+:)?(?:SignatureMethod|DigestMethod)\b[^>]*>/g
const ALGORITHM = /\sAlgorithm\s*=\s*"([^"&]*)"/

/**
 * Refuses what no answer of a provider needs and forgers do: a document type, which brings entities, and signatures by
 * algorithms that are broken. Looks at the text alone, and so at more than the part that is used. Everything else,
 * signature, audience, time and whether it was asked for, is checked after it.
 *
 * @throws FleetPromptError `forbidden`
 */
export function checkSamlAnswer(samlResponse: string): void {
  const xml = Buffer.from(samlResponse, "base64").toString("utf8")
  if (/<!(?:DOCTYPE|ENTITY)/i.test(xml)) throw refused("no document type")
  for (const [method] of xml.matchAll(METHODS)) {
    if (!ALGORITHMS.has(ALGORITHM.exec(method)?.[1] ?? "")) throw refused("signatures and digests of SHA-256 or more")
  }
}

function refused(expected: string): FleetPromptError {
  return new FleetPromptError(
    "forbidden",
    `expected ${expected} in the answer of the identity provider, got something else; ask whoever runs it`,
  )
}
