import type { ApiError } from "./api.ts"
import { element } from "./dom.ts"

/** What failed, why, and what to do; the button tries again. */
export function problemView(error: ApiError, what: string, retry: () => void): HTMLElement {
  const button = element("button", { type: "button" }, "Try again")
  button.addEventListener("click", retry)
  return element(
    "div",
    { class: "problem" },
    element("p", {}, element("strong", {}, `Could not load ${what}: ${error.title}`)),
    element("p", {}, error.message),
    element("p", { class: "muted" }, remedyOf(error), " Code ", element("code", {}, error.code), "."),
    button,
  )
}

/** What to do beyond what the server's own text says. */
function remedyOf({ status, code }: Pick<ApiError, "status" | "code">): string {
  if (code === "pattern_invalid") return "Change the filter, for example to github.** or **.opened."
  if (status === 401) return "Sign in to the application that serves this page, then try again."
  if (status === 403) return "Ask an owner of this tenant for access."
  if (status === 0 || status === 503) return "The page tries again by itself as soon as the server is back."
  if (status >= 500) return "The server's log tells the cause."
  return "If it stays, the server's log tells more."
}
