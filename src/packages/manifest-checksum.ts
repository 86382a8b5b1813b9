import type { JsonValue } from "../signal/json.ts"
import { checksumOf } from "./canonical.ts"
import type { PackageManifest } from "./manifest.ts"

/** `sha256:` and the hex digits of a manifest's canonical JSON, without `checksum` and `$schema`. */
export function manifestChecksum(manifest: PackageManifest): string {
  const { checksum: _, $schema: __, ...rest } = manifest
  // A manifest is plain JSON; that keys may be left out is all that the compiler minds.
  return checksumOf(rest as unknown as JsonValue)
}
