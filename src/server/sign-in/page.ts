import { html } from "hono/html"

/** Text of HTML whose values are escaped already. */
export type Html = ReturnType<typeof html>

/** A page of sign-in. */
export interface Page {
  readonly title: string
  readonly body: Html
  /** What went wrong, for people. */
  readonly problem?: string | undefined
  /** What was done, for people. */
  readonly notice?: string | undefined
}

/** A page as an answer. It is never kept by a browser or between. */
export async function pageOf(
  page: Page,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return new Response(String(await documentOf(page)), {
    status,
    headers: { "content-type": "text/html; charset=utf-8", "cache-control": "no-store", ...headers },
  })
}

function documentOf({ title, body, problem, notice }: Page): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${problem === undefined ? "" : "Problem: "}${title} · FleetPrompt</title>
        <link rel="icon" href="/assets/icon.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="/assets/style.css" />
        <link rel="stylesheet" href="/assets/sign-in.css" />
      </head>
      <body class="sign-in">
        <header><p class="brand">FleetPrompt</p></header>
        <main>
          <h1>${title}</h1>
          ${problem === undefined ? "" : html`<p id="problem" class="problem" role="alert">${problem}</p>`}
          ${notice === undefined ? "" : html`<p class="notice" role="status">${notice}</p>`} ${body}
        </main>
      </body>
    </html>`
}

/** One field of a form. */
export interface Field {
  readonly name: string
  readonly label: string
  readonly type: "text" | "email" | "password"
  /** What browsers and password managers fill in. */
  readonly autocomplete: string
  readonly value?: string | undefined
  readonly help?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly pattern?: string
  readonly isFirst?: boolean
}

/** A labelled field; its help is read out with it. */
export function field(each: Field): Html {
  const { name, label, type, autocomplete, value = "", help, minLength, maxLength = 200, pattern, isFirst } = each
  return html`<div class="field">
    <label for="${name}">${label}</label>
    <input
      id="${name}"
      name="${name}"
      type="${type}"
      autocomplete="${autocomplete}"
      autocapitalize="none"
      spellcheck="false"
      maxlength="${maxLength}"
      required
      ${value === "" ? "" : html`value="${value}"`}
      ${minLength === undefined ? "" : html`minlength="${minLength}"`}
      ${pattern === undefined ? "" : html`pattern="${pattern}"`}
      ${help === undefined ? "" : html`aria-describedby="${name}-help"`}
      ${isFirst ? html`autofocus` : ""}
    />
    ${help === undefined ? "" : html`<p id="${name}-help" class="help">${help}</p>`}
  </div>`
}

/** A value that goes along with a form. */
export function hidden(name: string, value: string): Html {
  return html`<input type="hidden" name="${name}" value="${value}" />`
}
