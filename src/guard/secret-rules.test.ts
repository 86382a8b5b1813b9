import { readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { fakeSecrets } from "../../test/support/fake-secrets.ts"
import { isSecretName, isStandIn, NAME_RULE, SECRET_RULES } from "./secret-rules.ts"

const fakes = fakeSecrets()

/** The rules of which a pattern matches something in the text, with what it matched. */
function matchesOf(text: string): readonly (readonly [rule: string, match: string])[] {
  return SECRET_RULES.flatMap((rule) =>
    [...text.matchAll(rule.pattern)]
      .filter(([match]) => rule.confirm?.(match) !== false)
      .map(([match]) => [rule.name, match] as const),
  )
}

describe("names", () => {
  test.each(
    `password passwd passphrase secret token jwt authorization cookie api_key apiKey APIKey API-Key apikey
    access_token accessToken accesstoken refresh_token RefreshToken id_token private_key privateKey client_secret
    clientSecret clientsecret webhook_secret SECRET_ACCESS_KEY secretAccessKey AWSSecretAccessKey db_password
    userPassword DB_PWD x-api-key X-Auth-Token Proxy-Authorization Set-Cookie stripe.secret.key signing_key`.split(
      /\s+/,
    ),
  )("%s is a secret's", (name) => {
    expect(isSecretName(name)).toBe(true)
  })

  test("also with spaces", () => {
    expect(isSecretName("API key")).toBe(true)
    expect(isSecretName(" Client Secret: ")).toBe(true)
  })

  test.each(
    `author authors authored_by author_association authorized_actors_only keyboard key keys keys_url key_id public_key
    access_key_id api_key_id monkey secretary secret_type secret_scanning_alerts secrets secret_id password_changed_at
    password_reset_url has_password_expired passwords_count next_page_token page_token continuation_token token_count
    token_type tokens max_tokens access_tokens_url access_token_expires_in tokenizer cookies_accepted cookie_banner
    compass passenger bypass credential_id signature sha PWD OLDPWD analysis_key authorization_url`.split(/\s+/),
  )("%s is not", (name) => {
    expect(isSecretName(name)).toBe(false)
  })

  test.each([
    "",
    "  ",
    "********",
    "\u2022\u2022\u2022\u2022",
    "****1234",
    "[redacted]",
    "[REDACTED]",
    "[Filtered]",
    "<hidden>",
    "xxxxxxxx",
    `[redacted:${NAME_RULE}]`,
    "[redacted:jwt#0123456789abcdef]",
    "${DB_PASSWORD}",
    "$DB_PASSWORD",
    "{{ credentials.github }}",
    "<your token>",
    "true",
    "None",
  ])("%o is no secret under such a name", (value) => {
    expect(isStandIn(value)).toBe(true)
  })

  test.each(["hunter2", "[redacted:x] hunter2", "****hunter2", "$ecret", "<b>ld", "trueish", "xx", "[hunter2]"])(
    "%o is one",
    (value) => {
      expect(isStandIn(value)).toBe(false)
    },
  )
})

describe("texts", () => {
  test.each(fakes)("$rule finds the secret in $before…$after, and nothing more", ({ rule, before, secret, after }) => {
    expect(matchesOf(before + secret + after)).toContainEqual([rule, secret])
  })

  test.each(fakes)("$rule finds it within other text: $before…$after", ({ rule, before, secret, after }) => {
    const found = matchesOf(`It says "${before}${secret}${after}" (twice).`)
    expect(found.some(([name, match]) => name === rule && match.includes(secret))).toBe(true)
  })

  test("every rule has a fake", () => {
    const tried = new Set(fakes.map((fake) => fake.rule))
    expect(SECRET_RULES.map((rule) => rule.name).filter((name) => !tried.has(name))).toEqual([])
  })

  test("a rule's hint is found wherever its pattern is", () => {
    for (const fake of fakes) {
      const rule = SECRET_RULES.find(({ name }) => name === fake.rule)
      expect(fake.before + fake.secret + fake.after).toMatch(new RegExp(rule?.hint ?? "no such rule", "i"))
    }
  })

  test.each([
    ["a git SHA", "af5626b4a114abcb82d63db7c8082c3c4756e51b"],
    ["a SHA-256", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ["a UUID", "0192f0c1-a2b3-7cde-8f01-23456789abcd"],
    ["an image", `data:image/png;base64,${Buffer.from("not quite an image, but long ".repeat(50)).toString("base64")}`],
    [
      "an integrity hash",
      "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
    ],
    ["a public key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJfO2Vv2WbGQ6m0yq8JmZ me@example.com"],
    ["a PEM certificate", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"],
    ["a PEM public key", "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----"],
    [
      "a signature in PEM",
      "-----BEGIN PGP SIGNATURE-----\n\nwsBcBAABCAAQBQJc3C39CRBK7hj4Ov3rIwAA\n-----END PGP SIGNATURE-----",
    ],
    ["a cursor", "eyJpZCI6MTIzNDU2Nzg5MCwibmFtZSI6ImEifQ=="],
    ["the word basic", "Basic Plan, basic authentication, Basic knowledge of programming"],
    ["the word bearer", 'The bearer authentication scheme; Bearer realm="api", error="invalid_token"'],
    ["the word password", "password: required. Forgot your password? The secret is out; token count = 5"],
    ["an unset password", `{"password":"","secret":null,"api_key":"********","access_token":"[redacted]"}`],
    ["a variable", "password=$DB_PASSWORD api_key=${API_KEY} https://u:${PASSWORD}@example.com token: {{ token }}"],
    ["an address with a port", "http://localhost:4873/@scope/package https://example.com:8443/a@b"],
    ["an address with a user", "ssh://git@github.com:22/a/b.git https://octocat@example.com git@github.com:a/b.git"],
    ["an address with parameters", "https://example.com/?page=2&key=readme-file&v=4&token=abc&tokens=123456789"],
    ["mail after an address", "see http://a.example:80 or write to b@example.com"],
    ["a template of an address", "https://api.github.com/repos/a/b/keys{/key_id}"],
    [
      "words with a dash",
      "task-management-for-very-long-and-winding-kebab-case risk-assessment sk-learn-with-many-more-words-in-it",
    ],
    ["a class name", "sk-folding-cube-with-a-very-long-name-after-it-indeed"],
    ["a snake-case name", "npm_config_registry npm_lifecycle_event fp_rate gh_token sk_live"],
    ["a capital word", "AKIA ASIAN ASIAPACIFICREGIONALHEADQUARTERS SKIP SG.1.2"],
    ["a shell's directory", "PWD=/home/app OLDPWD=/ HOME=/root"],
    ["code", "if (password == other) log('password:', password);\nconst token = next()"],
    ["a Slack address without a secret", "https://hooks.slack.com/ and https://slack.com/services/"],
    ["a publishable key", "pk_live_abcdefghijklmnopqrstuvwx"],
  ])("%s is no secret", (_, text) => {
    expect(matchesOf(text)).toEqual([])
  })

  test("no pattern repeats a group without a bound, which is what makes hostile text take exponential time", () => {
    for (const { name, pattern, hint } of SECRET_RULES) {
      for (const source of [pattern.source, hint]) {
        // Classes may hold any character, so they go first.
        const outline = source.replaceAll(/\\./g, "e").replaceAll(/\[[^\]]*\]/g, "c")
        expect(outline, name).not.toMatch(/\)(?:[*+]|\{\d+,\})/)
      }
    }
  })
})

test("the guide's table is this table", () => {
  const guide = readFileSync(new URL("../../docs/guides/secrets.md", import.meta.url), "utf8")
  const rows = [...guide.matchAll(/^\| `([a-z-]+)` +\| (.+?) +\|$/gm)].map(([, name, finds]) => ({ name, finds }))
  expect(rows).toEqual([
    { name: NAME_RULE, finds: expect.any(String) },
    ...SECRET_RULES.map(({ name, finds }) => ({ name, finds })),
  ])
})
