import { lockPackage } from "../store/packages.ts"
import { addInstall, insertPackageInstall, selectPackageVersion } from "../store/package-versions.ts"
import type { CatalogueDeps } from "./catalogue-deps.ts"
import { versionUnknown } from "./version-status.ts"

/**
 * Counts an installation, once for each tenant and version.
 *
 * @throws FleetPromptError `package_unknown`, `tenant_unknown`
 */
export async function countInstall(
  tenant: string,
  slug: string,
  version: string,
  { database, scopeOf }: CatalogueDeps,
): Promise<void> {
  const scope = await scopeOf(tenant)
  await database.transaction(async (tx) => {
    // Whoever counts takes turns on the package.
    await lockPackage(tx, slug)
    if (!(await selectPackageVersion(tx, slug, version))) throw versionUnknown(slug, version)
    const { isNew, isFirst } = await insertPackageInstall(tx, scope, slug, version)
    if (isNew) await addInstall(tx, slug, version, isFirst)
  })
}
