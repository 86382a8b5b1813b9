// A process that migrates tenants, to be killed: argv is the database's URL, how many migrations of the benchmark it
// knows, and how many schemas at once.
import { laterMigrations, loadPackage } from "./our-package.ts"

const [url = "", known = "0", concurrency = "4"] = process.argv.slice(2)
const { createFleet, migrations } = await loadPackage()
const fleet = createFleet({
  databaseUrl: url,
  retention: false,
  worker: { concurrency: Number(concurrency) },
  migrations: { concurrency: Number(concurrency) },
  tenantMigrations: [...migrations, ...laterMigrations().slice(0, Number(known))],
})
await fleet.start()
process.send?.("started")
process.once("disconnect", () => void fleet.stop().then(() => process.exit()))
