/** How a secret looks by its text. Data only: `redact.ts` applies it. */
export interface SecretRule {
  /** Kebab-case; stands in markers, messages and `metadata.redactions`. */
  readonly name: string
  /** What it finds, as the table in `docs/guides/secrets.md` says it. */
  readonly finds: string
  /**
   * A piece of pattern that is found in every text `pattern` is found in. Those of all rules are one
   * pattern, the only one that most texts are searched with. Case does not count.
   */
  readonly hint: string
  /**
   * Matches the secret and nothing else; what must stand around it is asserted. Global. An unbounded
   * repetition stands only where it ends the match, or where no second match can start within what it
   * reads: otherwise hostile text takes quadratic time.
   */
  readonly pattern: RegExp
  /** A last look at what was matched, where a pattern cannot tell. */
  readonly confirm?: (secret: string) => boolean
  /** Whether people choose such secrets, so that a digest of one could be guessed. Default false. */
  readonly guessable?: boolean
}

/** The rule for a value whose key says that it is a secret. */
export const NAME_RULE = "secret-name"

/** Names that are a secret's when they are the whole key; without marks between the words. */
const WHOLE_NAMES = new Set(
  "authorization proxyauthorization cookie setcookie token jwt xgitlabtoken clientsecret webhooksecret".split(" "),
)
/** Names that are a secret's also after further words, as in `db_password`. */
const LAST_NAMES = new Set(
  [
    "password passwd passphrase pwd secret",
    "apikey secretkey privatekey accesskey signingkey encryptionkey masterkey",
    "accesstoken refreshtoken authtoken oauthtoken bearertoken sessiontoken securitytoken",
    "apitoken bottoken privatetoken idtoken sastoken",
  ].flatMap((names) => names.split(" ")),
)
/** The shell's variables for directories. */
const NO_SECRET_NAMES = new Set(["PWD", "OLDPWD"])
/** What `redact.ts` puts in place of a secret. Within a key it is no word. */
const MARKER = /\[redacted:[a-z-]{1,40}(?:#[0-9a-f]{16})?\]/g
/** A piece that every secret's name holds. */
export const NAME_HINT = /pass|pwd|secret|token|key|authorization|cookie|jwt/i

/**
 * Whether a key says that its value is a secret. `apiKey`, `API-Key` and `api key` are one name. Whole
 * words count, and the last one or two decide: `db_password` is a secret's name, `secret_type` and
 * `next_page_token` are not.
 *
 * @example
 * isSecretName("githubClientSecret") // true
 */
export function isSecretName(key: string): boolean {
  if (!NAME_HINT.test(key) || NO_SECRET_NAMES.has(key)) return false
  const words = wordsOf(key.replaceAll(MARKER, ""))
  const ends = [words.join(""), words.slice(-2).join(""), words.at(-1) ?? ""]
  return WHOLE_NAMES.has(words.join("")) || ends.some((end) => LAST_NAMES.has(end))
}

function wordsOf(key: string): readonly string[] {
  return key
    .replaceAll(/(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, "_")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== "")
}

/** What stands for a secret and is none: a mask, a marker, a variable, a word that says there is nothing. */
const STAND_IN = [
  MARKER.source,
  String.raw`[[<(]?(?:redacted|masked|filtered|hidden|removed)[\])>]?`,
  String.raw`[*•●]{1,200}[A-Za-z0-9]{0,4}`,
  String.raw`x{3,200}`,
  String.raw`\$\{[^\s{}]{1,80}\}`,
  String.raw`\{\{ ?[^\s{}]{1,80} ?\}\}`,
  String.raw`\$[A-Z]{1,40}_[A-Z_]{1,40}`,
  String.raw`<[A-Za-z _-]{1,80}>`,
  String.raw`true|false|null|none|undefined`,
].join("|")
const WHOLE_STAND_IN = new RegExp(`^(?:${STAND_IN})$`, "i")

/**
 * Whether the value of a secret's name is none: blank, masked, a marker or a variable's name.
 *
 * @example
 * isStandIn("********") // true
 */
export function isStandIn(value: string): boolean {
  return value.trim() === "" || WHOLE_STAND_IN.test(value)
}

/** In a text, what stands here up to `end` is no stand-in. */
function real(end: string): string {
  return `(?!(?:${STAND_IN})${end})`
}

/** In a text, no letter or digit stands before. */
const EDGE = "(?<![A-Za-z0-9])"

const CHOSEN_NAMES = String.raw`pass(?:word|wd|phrase)|secret|[;&?]\s?pwd`
const ISSUED_NAMES = [
  "(?:api|secret|private|access|account|encryption|master)[_-]?key",
  "(?:access|refresh|auth|oauth|bearer|session|security|api|bot|private|id)[_-]?token",
  String.raw`["'](?:token|authorization|cookie|jwt)(?=\\{0,7}["'])`,
].join("|")
/** What may stand between a name and its value, of which one is in quotes; the backslashes are of JSON within JSON. */
const ASSIGNS = String.raw`\\{0,7}["']?\s{0,2}[:=]\s{0,2}\\{0,7}`

/** `name=value`, `name = "value"` and `"name": "value"`, also as JSON within JSON. */
function assigned(names: string): RegExp {
  const quoted = (quote: string): string => {
    const closed = String.raw`(?:\\{0,7}${quote}|$)`
    return String.raw`(?<=(?:${names})${ASSIGNS}${quote})(?!\\{1,7}${quote})${real(closed)}[^${quote}\r\n]+?(?=${closed})`
  }
  const character = String.raw`[^\s"'\x60&,;\\<>]`
  const bare = `(?<=(?:${names})=)(?!=)${real(`(?!${character})`)}${character}+`
  return new RegExp([bare, quoted('"'), quoted("'")].join("|"), "gi")
}

function isUserAndPassword(base64: string): boolean {
  const text = Buffer.from(base64, "base64").toString("utf8")
  return text.includes(":") && !/[\p{Cc}\uFFFD]/u.test(text)
}

/**
 * The rules for texts, applied in this order. Those that know a secret by what stands before it come
 * first, since they know best where it begins and ends.
 */
export const SECRET_RULES: readonly SecretRule[] = [
  {
    name: "private-key",
    finds: "a private key in PEM form, as far as it is there",
    hint: "private key",
    pattern: /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,60}-----|$)/g,
  },
  {
    name: "url-password",
    finds: "the password in `scheme://user:password@host`",
    hint: String.raw`://[^\s/?#@]*@`,
    pattern: new RegExp(String.raw`(?<=://[^\s/?#:@"'\x60<>[]*:)${real("@")}[^\s/?#"'\x60<>]+(?=@[^\s@])`, "gi"),
    guessable: true,
  },
  {
    name: "basic-credentials",
    finds: "`Basic` and base64 that decodes to `user:password`",
    hint: String.raw`basic\s`,
    pattern: new RegExp(String.raw`(?<=${EDGE}basic\s{1,4})[A-Za-z0-9+/_-]{8,}={0,2}`, "gi"),
    confirm: isUserAndPassword,
    guessable: true,
  },
  {
    name: "bearer-token",
    finds: "`Bearer` and 8 or more token characters with a digit among them, or 32 without",
    hint: String.raw`bearer[\s:]`,
    pattern: new RegExp(
      String.raw`(?<=${EDGE}bearer[\s:]{1,4})(?:(?=[A-Za-z._~+/=-]{0,64}\d)[\w.~+/=-]{8,}|[\w.~+/=-]{32,})`,
      "gi",
    ),
  },
  {
    name: "password-assignment",
    finds: '`password=…` and `"password": "…"` within a text; likewise passwd, passphrase, secret',
    hint: `(?:${CHOSEN_NAMES})${ASSIGNS}`,
    pattern: assigned(CHOSEN_NAMES),
    guessable: true,
  },
  {
    name: "token-assignment",
    finds: "the same, and `?name=` in an address, for api_key, access_token, private_key and the like",
    hint: `(?:${ISSUED_NAMES})${ASSIGNS}`,
    pattern: assigned(ISSUED_NAMES),
  },
  {
    name: "token-parameter",
    finds: "`?token=`, `&sig=`, `&signature=`, `&hmac=`, `&jwt=`, `&X-Amz-Signature=` with 6 or more characters",
    hint: String.raw`[?&;#](?:x-[a-z]{2,8}-)?(?:token|sig|signature|hmac|jwt)=`,
    pattern: new RegExp(
      String.raw`(?<=[?&;#](?:x-[a-z]{2,8}-)?(?:token|sig|signature|hmac|jwt)=)${real(String.raw`(?![^\s"'\x60&#<>\\])`)}[^\s"'\x60&#<>\\]{6,}`,
      "gi",
    ),
  },
  {
    name: "webhook-url",
    finds: "the secret part of a Slack or Discord webhook's address",
    hint: String.raw`hooks\.slack\.com/|/api/webhooks/`,
    pattern:
      /(?<=hooks\.slack\.com\/(?:services|workflows|triggers)\/)[\w/-]{16,}|(?<=discord(?:app)?\.com\/api\/webhooks\/\d{5,25}\/)[\w-]{16,}/gi,
  },
  {
    name: "aws-secret-key",
    finds: "40 base64 characters that are assigned to `secret_access_key`",
    hint: "secret_?access_?key",
    pattern: new RegExp(String.raw`(?<=secret_?access_?key${ASSIGNS}["']?)[A-Za-z0-9/+=]{40}(?![A-Za-z0-9/+=])`, "gi"),
  },
  {
    name: "aws-access-key-id",
    finds: "`AKIA`, `ASIA`, `ABIA` or `ACCA` and 16 capitals or digits",
    hint: "a(?:kia|sia|bia|cca)[a-z0-9]{16}",
    pattern: new RegExp(`${EDGE}A(?:KIA|SIA|BIA|CCA)[A-Z0-9]{16}(?![A-Za-z0-9])`, "g"),
  },
  {
    name: "jwt",
    finds: "three or five base64url parts with dots between, the first beginning `eyJ`",
    hint: String.raw`eyj[\w-]{10}`,
    pattern: /(?<![\w-])eyJ[\w-]{10,}\.[\w-]*\.[\w-]{10,}(?:\.[\w-]+){0,2}/g,
  },
  {
    name: "github-token",
    finds: "`ghp_`, `gho_`, `ghu_`, `ghs_`, `ghr_`, `github_pat_`",
    hint: "gh[pousr]_|github_pat_",
    pattern: new RegExp(String.raw`${EDGE}(?:gh[pousr]_|github_pat_)[\w-]{30,}(?:\.[\w-]{10,}){0,2}`, "g"),
  },
  {
    name: "gitlab-token",
    finds: "`glpat-` and the other prefixes of GitLab",
    hint: "gl[a-z]{2,6}-",
    pattern: new RegExp(
      String.raw`${EDGE}gl(?:pat|dt|rt|ptt|cbt|soat|ft|agent|imt|oas)-[\w-]{20,}(?:\.[\w-]{2,}){0,3}`,
      "g",
    ),
  },
  {
    name: "slack-token",
    finds: "`xoxb-`, `xoxp-` and the other `xox…-`, `xapp-`",
    hint: "xox[a-z][-.]|xapp-",
    pattern: new RegExp(String.raw`${EDGE}(?:xox[a-z](?:\.xox[a-z])?|xapp)-[A-Za-z0-9-]{10,}`, "g"),
  },
  {
    name: "stripe-key",
    finds: "`sk_live_`, `sk_test_`, `rk_live_`, `rk_test_`",
    hint: "[sr]k_(?:live|test)_",
    pattern: new RegExp(`${EDGE}[sr]k_(?:live|test)_[A-Za-z0-9]{10,}`, "g"),
  },
  {
    name: "webhook-secret",
    finds: "`whsec_`, of Stripe and of Standard Webhooks",
    hint: "whsec_",
    pattern: new RegExp(`${EDGE}whsec_[A-Za-z0-9+/=_-]{16,}`, "g"),
  },
  {
    name: "google-key",
    finds: "`AIza…`, `ya29.…`, `GOCSPX-…`",
    hint: String.raw`aiza|ya29\.|gocspx-`,
    pattern: new RegExp(String.raw`${EDGE}(?:AIza[\w-]{35}(?![\w-])|ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,})`, "g"),
  },
  {
    name: "npm-token",
    finds: "`npm_` and 36 letters or digits",
    hint: "npm_[a-z0-9]{36}",
    pattern: new RegExp(`${EDGE}npm_[A-Za-z0-9]{36,}`, "g"),
  },
  {
    name: "pypi-token",
    finds: "`pypi-AgE…`",
    hint: "pypi-age",
    pattern: new RegExp(String.raw`${EDGE}pypi-AgE[\w-]{30,}`, "g"),
  },
  {
    name: "sendgrid-key",
    finds: "`SG.`, 22 characters, a dot, 43 characters",
    hint: String.raw`sg\.[\w-]{22}\.`,
    pattern: new RegExp(String.raw`${EDGE}SG\.[\w-]{22}\.[\w-]{43,}`, "g"),
  },
  {
    name: "twilio-key",
    finds: "`SK` and 32 hex digits",
    hint: "sk[0-9a-f]{32}",
    pattern: new RegExp(`${EDGE}SK[0-9a-f]{32}(?![A-Za-z0-9])`, "g"),
  },
  {
    name: "ai-provider-key",
    finds: "`sk-ant-…`, `sk-proj-…`, `sk-svcacct-…`, `sk-admin-…`, `sk-or-v1-…`, `sk-` and 32 letters or digits",
    hint: "sk-[a-z0-9]",
    pattern: new RegExp(String.raw`${EDGE}sk-(?:(?:ant|proj|svcacct|admin|or-v1)-[\w-]{20,}|[A-Za-z0-9]{32,})`, "g"),
  },
  {
    name: "service-token",
    finds:
      "tokens of Atlassian, DigitalOcean, Docker, Hugging Face, HashiCorp Vault, Linear, Shopify by their prefixes",
    hint: String.raw`atatt3|do[opr]_v1_|dckr_pat_|hf_[a-z]{30}|hv[sb]\.|lin_api_|shp(?:at|ca|pa|ss)_`,
    pattern: new RegExp(
      String.raw`${EDGE}(?:ATATT3|do[opr]_v1_|dckr_pat_|hf_|hv[sb]\.|lin_api_|shp(?:at|ca|pa|ss)_)[\w=-]{24,}`,
      "g",
    ),
  },
  {
    name: "fleetprompt-key",
    finds: "our own `fp_<env>_<id>_<random>`",
    hint: "fp_[a-z0-9]",
    pattern: new RegExp(String.raw`${EDGE}fp_[a-z0-9]{1,20}_[A-Za-z0-9]{4,64}_[\w-]{24,}`, "g"),
  },
]
