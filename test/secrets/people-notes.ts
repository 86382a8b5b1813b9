import type { Answer, Visitor } from "../sign-in/visitor.ts"
import type { Recording } from "./recording.ts"

/** A secret that was made by the fleet, and shown once. */
export function noteMade({ made }: Recording, name: string, text: string, core = text): string {
  made.push({ name, text, core })
  return text
}

/** Keeps an answer, without what the caller sent along or is shown this once. */
export function noteAnswer(
  { tell }: Recording,
  { status, headers, text, location }: Answer,
  ...own: readonly string[]
): Answer {
  const shown = [...headers].filter(([name]) => name !== "set-cookie")
  const all = JSON.stringify([status, shown, location, text])
  tell(
    "a page",
    own.reduce((left, each) => left.replaceAll(each, "").replaceAll(encodeURIComponent(each), ""), all),
  )
  return { status, headers, text, location }
}

/** The session's cookie, which a browser shows with each request: the token, and what signs it. */
export function noteSession(run: Recording, { cookies }: Visitor): void {
  for (const [name, value] of cookies) {
    if (!name.endsWith("session_token")) continue
    const [token = "", signature = ""] = decodeURIComponent(value).split(".")
    noteMade(run, "a session's token", token)
    noteMade(run, "a session's signature", signature)
  }
}
