import { html } from "hono/html"
import type { SessionRow } from "../../store/sign-in-sessions.ts"
import { MAX_PASSWORD_LENGTH } from "./password-rules.ts"
import { field, hidden, type Html, type Page } from "./page.ts"
import { newPasswordField } from "./password-pages.ts"
import type { OrganisationChoice } from "./people.ts"

/** Choosing among one's organisations. */
export function organisationsPage(email: string, choices: readonly OrganisationChoice[], to: string): Page {
  return {
    title: "Choose an organisation",
    body: html`<p class="muted">Signed in as ${email}.</p>
      ${
        choices.length === 0
          ? html`<p>You belong to no organisation. Ask an owner of yours to invite ${email}.</p>`
          : html`<ul class="choices">
              ${choices.map((choice) => choiceItem(choice, to))}
            </ul>`
      }
      ${accountLinks}`,
  }
}

function choiceItem({ tenant, name, role, isChosen }: OrganisationChoice, to: string): Html {
  return html`<li>
    <form method="post" action="/auth/organisations">
      ${hidden("tenant", tenant)} ${hidden("to", to)}
      <button type="submit" ${isChosen ? html`aria-current="true"` : ""}>
        <strong>${name}</strong> <span class="muted">${tenant}, ${role}${isChosen ? ", chosen" : ""}</span>
      </button>
    </form>
  </li>`
}

/** What the page about one's own account shows. */
export interface AccountView {
  readonly email: string
  readonly sessions: readonly SessionRow[]
  readonly currentId: string
  readonly hasPassword: boolean
  readonly problem?: string | undefined
  readonly notice?: string | undefined
}

/** One's sessions and password. */
export function accountPage({ email, sessions, currentId, hasPassword, problem, notice }: AccountView): Page {
  return {
    title: "Your account",
    problem,
    notice,
    body: html`<p class="muted">Signed in as ${email}.</p>
      <section aria-labelledby="sessions-title">
        <h2 id="sessions-title">Where you are signed in</h2>
        <ul class="sessions">
          ${sessions.map((session) => sessionItem(session, session.id === currentId))}
        </ul>
        <div class="row">
          <form method="post" action="/auth/sessions">
            ${hidden("end", "others")}<button type="submit">Sign out elsewhere</button>
          </form>
          <form method="post" action="/auth/sessions">
            ${hidden("end", "all")}<button type="submit">Sign out everywhere</button>
          </form>
        </div>
      </section>
      ${hasPassword ? passwordSection : ""}
      <nav aria-label="Account">
        <p><a href="/">To the signals</a></p>
        <p><a href="/auth/organisations">Change organisation</a></p>
      </nav>
      <form method="post" action="/auth/sign-out"><button type="submit">Sign out</button></form>`,
  }
}

function sessionItem({ id, address, userAgent, createdAt, lastUsedAt }: SessionRow, isCurrent: boolean): Html {
  return html`<li>
    <p class="outside">${programOf(userAgent ?? "")}</p>
    <p class="muted">
      ${address === null || address === "" ? "" : html`${address}, `}since ${time(createdAt)}, last used
      ${time(lastUsedAt)}
    </p>
    ${
      isCurrent
        ? html`<p><strong>This one</strong></p>`
        : html`<form method="post" action="/auth/sessions">
            ${hidden("end", id)}<button
              type="submit"
              class="small"
              aria-label="Sign out the session since ${time(createdAt)}"
            >
              Sign out
            </button>
          </form>`
    }
  </li>`
}

const BROWSERS = [
  [/Edg\//, "Edge"],
  [/OPR\//, "Opera"],
  [/Firefox\//, "Firefox"],
  [/Chrome\//, "Chrome"],
  [/Safari\//, "Safari"],
] as const
const SYSTEMS = [
  [/Android/, "Android"],
  [/iPhone|iPad/, "iOS"],
  [/Windows/, "Windows"],
  [/Mac OS X/, "macOS"],
  [/Linux/, "Linux"],
] as const

/** What a browser says of itself, for people: only a hint, since it may say anything. */
function programOf(userAgent: string): string {
  const browser = BROWSERS.find(([mark]) => mark.test(userAgent))?.[1]
  const system = SYSTEMS.find(([mark]) => mark.test(userAgent))?.[1]
  if (browser === undefined) return userAgent === "" ? "Unknown program" : userAgent.slice(0, 80)
  return system === undefined ? browser : `${browser} on ${system}`
}

function time(at: Date): string {
  return `${at.toISOString().slice(0, 16).replace("T", " ")} UTC`
}

const passwordSection = html`<section aria-labelledby="password-title">
  <h2 id="password-title">Change your password</h2>
  <form method="post" action="/auth/password">
    ${field({
      name: "current",
      label: "Current password",
      type: "password",
      autocomplete: "current-password",
      maxLength: MAX_PASSWORD_LENGTH,
    })}
    ${newPasswordField(false)}
    <p class="help">You will be signed out elsewhere.</p>
    <button type="submit">Change</button>
  </form>
</section>`

const accountLinks = html`<nav aria-label="Account">
    <p><a href="/auth/account">Your account and sessions</a></p>
  </nav>
  <form method="post" action="/auth/sign-out"><button type="submit">Sign out</button></form>`
