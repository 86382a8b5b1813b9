/** A made-up secret of the right shape, in the text where it was found. */
export interface FakeSecret {
  /** The rule that must find it. */
  readonly rule: string
  /** What must not survive. */
  readonly secret: string
  readonly before: string
  readonly after: string
}

const ALPHANUMERIC = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
const CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
const HEX = "0123456789abcdef"

/**
 * Fakes of every rule. They are put together from pieces, so that no scanner takes this file for a
 * leak; another seed gives other random parts.
 */
export function fakeSecrets(seed = 1): readonly FakeSecret[] {
  const text = textMaker(seed)
  const words = (length: number) => text(length, ALPHANUMERIC)
  const bare = (rule: string, ...pieces: readonly string[]): FakeSecret => ({
    rule,
    secret: pieces.join(""),
    before: "",
    after: "",
  })
  const within = (rule: string, before: string, secret: string, after = ""): FakeSecret => ({
    rule,
    secret,
    before,
    after,
  })
  const jwt = () => ["ey", "J", words(33), ".", "ey", "J", words(40), ".", words(43)].join("")
  const pem = (kind: string) =>
    [`-----BEGIN ${kind}PRIV`, `ATE KEY-----\n${words(64)}\n${words(20)}\n-----END ${kind}PRIV`, "ATE KEY-----"].join(
      "",
    )
  const basic = (credentials: string) => Buffer.from(credentials).toString("base64")
  return [
    bare("private-key", pem("")),
    bare("private-key", pem("RSA ")),
    bare("private-key", pem("ENCRYPTED ")),
    bare("private-key", pem("OPENSSH ")),
    within("private-key", "found ", ["-----BEGIN EC PRIV", `ATE KEY-----\\n${words(64)} and then it was cut`].join("")),
    within("url-password", "postgres://app:", words(12), "@db.example.com:5432/app"),
    within("url-password", "redis://:", words(9), "@cache:6379"),
    within("url-password", "connect to amqps://user%40corp:", `${words(4)}:${words(4)}@${words(2)}`, "@mq failed"),
    within("url-password", "https://x-access-token:", words(36), "@github.example.com/a/b.git"),
    within("basic-credentials", "Basic ", basic(`admin:${words(10)}`)),
    within("basic-credentials", "authorization: basic ", basic(`\u00FCser:${words(7)}`), "\r\nhost: a"),
    within("bearer-token", "Bearer ", `${words(20)}7`),
    within("bearer-token", "curl -H 'Authorization: bearer ", `${words(10)}-${words(10)}.4`, "' https://example.com"),
    within("password-assignment", "password=", words(6)),
    within("password-assignment", "DB_PASSWORD=", words(8), " node server.js"),
    within("password-assignment", "Server=db;Uid=sa;Pwd=", words(8), ";Database=app"),
    within("password-assignment", `{"user":"a","password":"`, `${words(4)} ${words(4)}, ${words(2)}`, `"}`),
    within("password-assignment", `{"body":"{\\"client_secret\\": \\"`, words(24), `\\"}"}`),
    within("password-assignment", "passphrase = '", `${words(3)} "${words(3)}"`, "'"),
    within("token-assignment", "https://example.com/?a=1&access_token=", words(30), "&b=2"),
    within("token-assignment", `{"apiKey":"`, words(24), `"}`),
    within("token-assignment", `{"token": "`, words(11), `"}`),
    within("token-assignment", "AccountName=a;AccountKey=", `${words(86)}==`, ";"),
    within("token-parameter", "https://example.com/raw?token=", words(29)),
    within("token-parameter", "https://a.blob.example.com/x?sv=2024&sig=", `${words(20)}%2B${words(20)}%3D`, "&se=1"),
    within("token-parameter", "https://s3.example.com/x?X-Amz-Expires=300&X-Amz-Signature=", text(64, HEX), "&a=1"),
    within("webhook-url", "https://hooks.slack.com/services/", `T${words(8)}/B${words(8)}/${words(24)}`),
    within("webhook-url", "https://discord.com/api/webhooks/123456789012345678/", words(68), "?wait=true"),
    within("aws-secret-key", "aws_secret_access_key = ", text(40, `${ALPHANUMERIC}/+`)),
    bare("aws-access-key-id", "AK", "IA", text(16, CAPITALS)),
    bare("aws-access-key-id", "AS", "IA", text(16, CAPITALS)),
    bare("jwt", jwt()),
    bare("jwt", jwt(), ".", words(30), ".", words(22)),
    bare("github-token", "gh", "p_", words(36)),
    bare("github-token", "gh", "o_", words(36)),
    bare("github-token", "gh", "u_", words(36)),
    bare("github-token", "gh", "s_", words(36)),
    bare("github-token", "gh", "s_", "123456_", jwt()),
    bare("github-token", "gh", "r_", words(76)),
    bare("github-token", "github", "_pat_", words(22), "_", words(59)),
    bare("gitlab-token", "gl", "pat-", words(20)),
    bare("gitlab-token", "gl", "pat-", words(27), ".01.", words(9)),
    bare("gitlab-token", "gl", "rt-", words(20)),
    bare("slack-token", "xo", "xb-", text(12, HEX), "-", words(24)),
    bare("slack-token", "xo", "xe.xo", "xp-1-", words(40)),
    bare("slack-token", "xa", "pp-1-A", words(10), "-", words(30)),
    bare("stripe-key", "sk", "_live_", words(24)),
    bare("stripe-key", "sk", "_test_", words(24)),
    bare("stripe-key", "rk", "_live_", words(24)),
    bare("webhook-secret", "wh", "sec_", words(32)),
    bare("google-key", "AI", "za", words(35)),
    bare("google-key", "ya", "29.", words(60)),
    bare("npm-token", "np", "m_", words(36)),
    bare("pypi-token", "py", "pi-Ag", "E", words(80)),
    bare("sendgrid-key", "S", "G.", words(22), ".", words(43)),
    bare("twilio-key", "S", "K", text(32, HEX)),
    bare("ai-provider-key", "s", "k-", words(48)),
    bare("ai-provider-key", "s", "k-proj-", words(30), "_", words(30)),
    bare("ai-provider-key", "s", "k-ant-api03-", words(46), "-", words(46)),
    bare("service-token", "do", "p_v1_", text(64, HEX)),
    bare("service-token", "h", "f_", text(34, ALPHANUMERIC.slice(0, 52))),
    bare("service-token", "sh", "pat_", text(32, HEX)),
    bare("service-token", "hv", "s.", words(90)),
    bare("fleetprompt-key", "fp", "_live_", text(12, HEX), "_", words(32)),
  ]
}

/** Text that differs from seed to seed: a linear congruential generator (Numerical Recipes). */
function textMaker(seed: number): (length: number, alphabet: string) => string {
  let state = seed >>> 0
  const next = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
  return (length, alphabet) =>
    Array.from({ length }, () => alphabet.charAt(Math.floor(next() * alphabet.length))).join("")
}
