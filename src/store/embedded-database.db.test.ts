import { databaseContract } from "../../test/database-contract.ts"
import { openEmbeddedDatabase } from "./embedded-database.ts"

databaseContract("the embedded database in memory", async () => {
  const database = await openEmbeddedDatabase()
  return { database, dispose: () => database.close() }
})
