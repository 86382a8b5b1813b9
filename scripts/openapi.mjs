// Writes the OpenAPI document of the HTTP API.
//
//   node scripts/openapi.mjs [FILE]
//
// FILE   default docs/reference/openapi.json; `-` prints it
import { writeFile } from "node:fs/promises"
import { apiRoutes } from "../dist/server/api-routes.js"
import { openApiText } from "../dist/server/openapi.js"

const [file = new URL("../docs/reference/openapi.json", import.meta.url)] = process.argv.slice(2)
const text = openApiText(apiRoutes)
if (file === "-") process.stdout.write(text)
else await writeFile(file, text)
