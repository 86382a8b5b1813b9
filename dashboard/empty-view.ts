import { copyButton } from "./copy-button.ts"
import { element } from "./dom.ts"

/** What stands in place of the list when the tenant has no signal yet: how to send the first. */
export function firstSignalView(tenant: string | undefined, origin: string): HTMLElement {
  return element(
    "div",
    { class: "empty" },
    element("h3", {}, "No signals yet"),
    element("p", {}, "A signal is a fact that something happened. It appears here the moment it is stored. Send one:"),
    element("h4", {}, "From your program"),
    ...example("code", emitExample(tenant ?? "acme")),
    element("h4", {}, "Through a GitHub webhook"),
    element(
      "p",
      {},
      "With a webhook source named ",
      element("code", {}, "github"),
      ", whose secret is in ",
      element("code", {}, "GITHUB_WEBHOOK_SECRET"),
      ":",
    ),
    ...example("command", webhookExample(origin)),
  )
}

/** What stands there when signals exist, but none fits the filter. */
export function noMatchView(pattern: string, clear: () => void): HTMLElement {
  const button = element("button", { type: "button" }, "Show all signals")
  button.addEventListener("click", clear)
  return element(
    "div",
    { class: "empty" },
    element("h3", {}, "No signals match ", element("code", { class: "outside" }, pattern)),
    element(
      "p",
      {},
      "New ones that match appear here by themselves. In a pattern, * stands for one segment and ** for any number.",
    ),
    button,
  )
}

function example(name: string, text: string): readonly HTMLElement[] {
  return [element("pre", { tabindex: "0", role: "region", "aria-label": name }, text), copyButton(name, () => text)]
}

function emitExample(tenant: string): string {
  return `await fleet.tenant("${tenant}").emit("lead.received", { leadId: "123" })`
}

function webhookExample(origin: string): string {
  return [
    `body='{"action":"opened","issue":{"number":1,"title":"Hello"},`,
    `  "repository":{"full_name":"acme/shop"}}'`,
    `signature=$(printf %s "$body" | openssl dgst -sha256 -hmac "$GITHUB_WEBHOOK_SECRET" | sed 's/^.*= //')`,
    `curl ${origin}/v1/webhooks/github \\`,
    `  -H 'content-type: application/json' -H 'x-github-event: issues' \\`,
    `  -H "x-github-delivery: hello-$(date +%s)" -H "x-hub-signature-256: sha256=$signature" \\`,
    `  --data-binary "$body"`,
  ].join("\n")
}
