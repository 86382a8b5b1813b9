import { html } from "hono/html"
import { field, hidden, type Html, type Page } from "./page.ts"
import { emailField, newPasswordField } from "./password-pages.ts"
import type { OpenInvitation } from "./people.ts"

/** What somebody typed in who founds an organisation. */
export interface FoundingValues {
  readonly organisation?: string | undefined
  readonly slug?: string | undefined
  readonly name?: string | undefined
  readonly email?: string | undefined
}

/** Making the first owner and their organisation, by the link that the server printed. */
export function firstOwnerPage(token: string, values: FoundingValues, problem?: string): Page {
  return {
    title: "Set up FleetPrompt",
    problem,
    body: html`<p>You are the first here. Name your organisation and say how you sign in.</p>
      <form method="post" action="/auth/first">
        ${hidden("token", token)} ${organisationFields(values)} ${nameField(values.name)}
        ${field({ name: "email", label: "Email", type: "email", autocomplete: "username", value: values.email })}
        ${newPasswordField(false)}
        <button type="submit" class="primary">Set up</button>
      </form>`,
  }
}

/** Accepting an invitation for the first time: with a name and a password. */
export function invitationPage(token: string, invitation: OpenInvitation, problem?: string): Page {
  return {
    title: `Join ${invitation.organisation}`,
    problem,
    body: html`<p>${invitation.email} is invited to ${invitation.organisation} as ${invitation.role}.</p>
      <form method="post" action="/auth/invitation">
        ${hidden("token", token)} ${hidden("email", invitation.email)} ${nameField(undefined, true)}
        ${newPasswordField(false)}
        <button type="submit" class="primary">Join</button>
      </form>`,
  }
}

/** Accepting an invitation with an account that one has: who is signed in accepts with a click. */
export function knownInvitationPage(token: string, invitation: OpenInvitation, isSignedIn: boolean): Page {
  const back = `/auth/invitation?token=${encodeURIComponent(token)}`
  return {
    title: `Join ${invitation.organisation}`,
    body: html`<p>${invitation.email} is invited to ${invitation.organisation} as ${invitation.role}.</p>
      ${
        isSignedIn
          ? html`<form method="post" action="/auth/invitation">
              ${hidden("token", token)}<button type="submit" class="primary">Join</button>
            </form>`
          : html`<p>You have an account with this address.</p>
              <p><a class="button primary" href="/auth/sign-in?to=${encodeURIComponent(back)}">Sign in to join</a></p>`
      }`,
  }
}

/** Signing up with an address, where that is open to all. */
export function signUpPage(problem?: string): Page {
  return {
    title: "Sign up",
    problem,
    body: html`<form method="post" action="/auth/sign-up">
        <p>We send you a mail with a link, to see that the address is yours.</p>
        ${emailField()}
        <button type="submit" class="primary">Send the mail</button>
      </form>
      <p>You have an account? <a href="/auth/sign-in">Sign in</a></p>`,
  }
}

/** Finishing to sign up by the mail's link. */
export function signUpFinishPage(token: string, email: string, values: FoundingValues, problem?: string): Page {
  return {
    title: "Finish signing up",
    problem,
    body: html`<p>Your address is ${email}.</p>
      <form method="post" action="/auth/sign-up/finish">
        ${hidden("token", token)} ${organisationFields(values)} ${nameField(values.name)} ${newPasswordField(false)}
        <button type="submit" class="primary">Sign up</button>
      </form>`,
  }
}

function organisationFields({ organisation, slug }: FoundingValues): Html {
  return html`${field({
    name: "organisation",
    label: "Organisation",
    type: "text",
    autocomplete: "organization",
    value: organisation,
    isFirst: true,
  })}
  ${field({
    name: "slug",
    label: "Short name",
    type: "text",
    autocomplete: "off",
    value: slug,
    help: "2 to 41 small letters, digits or _, beginning with a letter, such as acme_eu. It names its data and cannot be changed.",
    pattern: "[a-z][a-z0-9_]{1,40}",
    maxLength: 41,
  })}`
}

function nameField(value?: string, isFirst = false): Html {
  return field({ name: "name", label: "Your name", type: "text", autocomplete: "name", value, isFirst })
}
