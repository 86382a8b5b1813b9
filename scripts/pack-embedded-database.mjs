// Makes the archive that embedded databases begin from, into dist/, where it is missing. Needs the built library.
import { packTemplate } from "../dist/store/embedded-template.js"

await packTemplate()
