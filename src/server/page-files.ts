import { readdir, readFile } from "node:fs/promises"
import { extname } from "node:path"
import { Hono } from "hono"
import { open } from "./permit.ts"
import { notFound, problemOf } from "./problem.ts"

/** The page as it was built, beside this file's folder. */
const BUILT_PAGE = new URL("../dashboard/", import.meta.url)

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
}

/** Routes of the page: `/` and `/assets/:file`. The files are read once, so no request names a path. */
export function pageRoutes(directory: URL = BUILT_PAGE): Hono {
  const routes = new Hono()
  const files = readFiles(directory)
  const send = async (name: string): Promise<Response> => {
    const body = (await files).get(name)
    if (body === undefined) return problemOf(notFound("a file of the page"))
    return new Response(body, {
      headers: { "content-type": MEDIA_TYPES[extname(name)] ?? "", "cache-control": "no-cache" },
    })
  }
  const anybody = open("the page's own files, the same for everybody")
  routes.get("/", anybody, () => send("index.html"))
  routes.get("/assets/:file", anybody, (context) => send(context.req.param("file")))
  return routes
}

async function readFiles(directory: URL): Promise<ReadonlyMap<string, string>> {
  const names = (await readdir(directory).catch(() => [])).filter((name) => extname(name) in MEDIA_TYPES)
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(new URL(name, directory), "utf8")] as const)),
  )
}
