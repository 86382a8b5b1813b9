import { FleetPromptError } from "../errors.ts"

/**
 * The body's bytes as they came.
 *
 * @throws FleetPromptError `body_too_large` as soon as more than `maxBytes` have come or are announced.
 */
export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array> {
  if (Number(request.headers.get("content-length") ?? 0) > maxBytes) throw tooLarge(maxBytes)
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength
    if (size > maxBytes) throw tooLarge(maxBytes)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function tooLarge(maxBytes: number): FleetPromptError {
  return new FleetPromptError(
    "body_too_large",
    `expected a body of at most ${maxBytes} bytes, got more; send less or raise the route's limit`,
  )
}
