/** An answer as a browser sees it, with its text. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Where it sends the browser. */
  readonly location: string | null
}

/** A browser without a screen: it keeps cookies, sends forms as pages of ours do, and follows nothing by itself. */
export class Visitor {
  readonly cookies = new Map<string, string>()
  readonly #url: string

  constructor(url: string) {
    this.#url = url
  }

  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.send("GET", path, undefined, headers)
  }

  post(
    path: string,
    form: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string>> = { origin: this.#url },
  ): Promise<Answer> {
    return this.send("POST", path, new URLSearchParams(form), headers)
  }

  async send(
    method: string,
    path: string,
    body: URLSearchParams | undefined,
    headers: Readonly<Record<string, string>>,
  ): Promise<Answer> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ")
    const response = await fetch(new URL(path, this.#url), {
      method,
      redirect: "manual",
      headers: { ...(cookie !== "" && { cookie }), ...headers },
      ...(body && { body }),
    })
    for (const set of response.headers.getSetCookie()) this.#take(set)
    const { status, headers: answered } = response
    return { status, headers: answered, text: await response.text(), location: answered.get("location") }
  }

  #take(set: string): void {
    const [pair = "", ...attributes] = set.split("; ")
    const at = pair.indexOf("=")
    const name = pair.slice(0, at)
    if (attributes.some((each) => each.toLowerCase() === "max-age=0")) this.cookies.delete(name)
    else this.cookies.set(name, pair.slice(at + 1))
  }
}

/** Path and query of a link in a text. */
export function linkIn(text: string): string {
  const [found] = /https?:\/\/\S+/.exec(text) ?? []
  if (found === undefined) throw new Error(`expected a link in: ${text}`)
  const { pathname, search } = new URL(found)
  return `${pathname}${search}`
}

/** The `token` of a link. */
export function tokenIn(text: string): string {
  return new URL(linkIn(text), "http://localhost").searchParams.get("token") ?? ""
}
