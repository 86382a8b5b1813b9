import { html } from "hono/html"
import { MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH } from "./password-rules.ts"
import type { IdentityProvider } from "./options.ts"
import { field, hidden, type Html, type Page } from "./page.ts"

/** What the page for signing in shows. */
export interface SignInView {
  readonly providers: readonly IdentityProvider[]
  /** Whether anybody may sign up. */
  readonly isOpen: boolean
  /** Where to go then. */
  readonly to: string
  readonly email?: string
  readonly problem?: string | undefined
  readonly notice?: string | undefined
}

/** Signing in. */
export function signInPage({ providers, isOpen, to, email, problem, notice }: SignInView): Page {
  const query = to === "/" ? "" : `?to=${encodeURIComponent(to)}`
  return {
    title: "Sign in",
    problem,
    notice,
    body: html`<form method="post" action="/auth/sign-in">
        ${hidden("to", to)} ${emailField(email)}
        ${field({
          name: "password",
          label: "Password",
          type: "password",
          autocomplete: "current-password",
          maxLength: MAX_PASSWORD_LENGTH,
        })}
        <button type="submit" class="primary">Sign in</button>
      </form>
      ${
        providers.length === 0
          ? ""
          : html`<ul class="providers" aria-label="Other ways to sign in">
              ${providers.map(({ id, name }) => html`<li><a href="/auth/with/${id}${query}">Sign in with ${name}</a></li>`)}
            </ul>`
      }
      <p><a href="/auth/reset">Forgot your password?</a></p>
      ${isOpen ? html`<p>New here? <a href="/auth/sign-up">Sign up</a></p>` : ""}`,
  }
}

/** Asking for a mail to set a password. */
export function resetRequestPage(problem?: string): Page {
  return {
    title: "Set a new password",
    problem,
    body: html`<form method="post" action="/auth/reset">
        <p>We send you a mail with a link.</p>
        ${emailField()}
        <button type="submit" class="primary">Send the mail</button>
      </form>
      ${toSignIn}`,
  }
}

/** What comes after asking, whether there is such an account or not. */
export function mailSentPage(title: string): Page {
  return {
    title,
    notice: "If this address can be used here, a mail with a link is on its way. It works for an hour, once.",
    body: html`<p>Nothing came? Look among unwanted mail, check the address, or ask again in a while.</p>
      ${toSignIn}`,
  }
}

/** Setting the password that a mail's link lets one set. */
export function resetPage(token: string, problem?: string): Page {
  return {
    title: "Choose a new password",
    problem,
    body: html`<form method="post" action="/auth/reset/new">
      ${hidden("token", token)} ${newPasswordField(true)}
      <p>You will be signed out everywhere.</p>
      <button type="submit" class="primary">Set the password</button>
    </form>`,
  }
}

/** A link that does not work. */
export function deadLinkPage(title: string, whatToDo: string): Page {
  return { title, problem: `This link was used, has ended or is not complete. ${whatToDo}`, body: html`${toSignIn}` }
}

/** Something that cannot be done here. */
export function refusalPage(title: string, problem: string): Page {
  return { title, problem, body: html`${toSignIn}` }
}

/** An email address that is to be typed in. */
export function emailField(value?: string): Html {
  return field({
    name: "email",
    label: "Email",
    type: "email",
    autocomplete: "username",
    value,
    isFirst: value === undefined,
  })
}

/** A new password. */
export function newPasswordField(isFirst: boolean): Html {
  return field({
    name: "password",
    label: "New password",
    type: "password",
    autocomplete: "new-password",
    help: `${MIN_PASSWORD_LENGTH} characters at least. A few words that do not belong together are good.`,
    minLength: MIN_PASSWORD_LENGTH,
    maxLength: MAX_PASSWORD_LENGTH,
    isFirst,
  })
}

const toSignIn = html`<p><a href="/auth/sign-in">Back to signing in</a></p>`
