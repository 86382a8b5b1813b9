import { createHmac } from "node:crypto"
import { githubWebhook } from "../../src/connectors/github.ts"
import type { WebhookSource } from "../../src/connectors/webhook-source.ts"
import type { Fleet } from "../../src/fleet.ts"
import { createFetchHandler } from "../../src/server/fetch-handler.ts"
import { serve } from "../../src/server/serve.ts"
import { sameJson } from "./hostile-payloads.ts"
import { noteStored } from "./ledger/note-stored.ts"
import type { Stage } from "./stage.ts"

/** A body that comes in over HTTP, with a good signature, and what must become of it. */
interface HostileBody {
  readonly name: string
  readonly body: string | Uint8Array
  /** Code and path of the answer; undefined when it must be stored and read back equal. */
  readonly refused?: string
  /** Where text is replaced that cannot be stored, since the sender does not ask again; the signal says so. */
  readonly replacedAt?: string
}

const BODIES: readonly HostileBody[] = [
  { name: "a plain one", body: '{"n": 1}' },
  { name: "names of Object.prototype", body: '{"__proto__": {"admin": true}, "constructor": {"prototype": 1}}' },
  { name: "a key twice", body: '{"a": 1, "a": 2}' },
  { name: "escapes", body: '{"\\u0061": "\\ud83d\\ude00 \\u2028 \\/"}' },
  { name: "numbers in other forms", body: '{"n": [1.0, 1e2, 1E-2, 0.1, 5e-324]}' },
  { name: "U+0000", body: '{"note": "a\\u0000b"}', replacedAt: "data.note" },
  { name: "half a character", body: '{"list": [1, "\\ud83d"]}', replacedAt: "data.list[1]" },
  { name: "a number beyond all", body: '{"n": 1e400}', refused: "data_not_json data.n" },
  { name: "negative zero", body: '{"list": [0, -0]}', refused: "data_not_json data.list[1]" },
  { name: "100 levels", body: `${'{"a":'.repeat(100)}1${"}".repeat(100)}`, refused: "data_too_deep" },
  { name: "10,000 levels", body: `{"a":${"[".repeat(10_000)}${"]".repeat(10_000)}}`, refused: "data_too_deep" },
  { name: "1,000,000 levels", body: `{"a":${"[".repeat(1_000_000)}`, refused: "body_malformed" },
  { name: "a list", body: "[1]", refused: "body_malformed" },
  { name: "null", body: "null", refused: "body_malformed" },
  { name: "nothing", body: "", refused: "body_malformed" },
  { name: "NaN", body: '{"n": NaN}', refused: "body_malformed" },
  { name: "the end is missing", body: '{"n": [1', refused: "body_malformed" },
  { name: "no UTF-8", body: Uint8Array.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), refused: "body_malformed" },
  { name: "UTF-16", body: Buffer.from('{"n":1}', "utf16le"), refused: "body_malformed" },
  { name: "too large", body: `{"text": "${"x".repeat(2_000_000)}"}`, refused: "body_too_large" },
]

const SECRET = "a secret of the fault harness"

/** A webhook for a tenant; bodies of up to 1.5 MB. */
export function webhookOf(tenant: string): WebhookSource {
  return githubWebhook({ tenant, secret: SECRET, maxBodyBytes: 1_500_000 })
}

/** Sends them to a server of the fleet. Returns how many. */
export async function expectHostileBodies(stage: Stage, fleet: Fleet, tenant: string): Promise<number> {
  const handler = createFetchHandler(fleet, { authenticate: () => undefined })
  const server = await serve(handler, { port: 0 })
  stage.cleanup("a server", server.close)
  for (const each of BODIES) await expectBody(each, `${server.url}/v1/webhooks/github`, stage, fleet, tenant)
  return BODIES.length
}

async function expectBody(
  { name, body, refused, replacedAt }: HostileBody,
  url: string,
  stage: Stage,
  fleet: Fleet,
  tenant: string,
): Promise<void> {
  const response = await postSigned(url, body)
  const answer = (await response.json()) as Readonly<Record<"id" | "code" | "path", string | undefined>>
  const came = response.ok ? undefined : [answer.code, answer.path].filter((each) => each !== undefined).join(" ")
  if (refused === undefined ? came !== undefined : !came?.startsWith(refused))
    throw new Error(`expected the body "${name}" to be ${refused ?? "stored"}, got ${response.status} ${came ?? ""}`)
  if (answer.id === undefined) return
  const detail = await fleet.tenant(tenant).signals.get(answer.id, ["internal"])
  const data: unknown = detail?.signal["data"]
  const places = detail?.metadata.redactions?.map(({ path }) => path).join(", ")
  const isEqual = sameJson(data, JSON.parse(String(body)))
  if (places !== replacedAt || isEqual !== (replacedAt === undefined))
    throw new Error(
      `expected the body "${name}" ${replacedAt ?? "equal"}, got ${JSON.stringify(data)} marked ${places}`,
    )
  const subject = detail?.signal["subject"]
  const sent = { tenant, type: "github.push", data, subject: typeof subject === "string" ? subject : null }
  await noteStored(await stage.ledger(), sent, answer.id)
}

/** Sends a body as GitHub does. `event` is its id of the event, a new one by default. */
export async function postSigned(
  url: string,
  body: string | Uint8Array,
  event: string = crypto.randomUUID(),
): Promise<Response> {
  const signature = createHmac("sha256", SECRET).update(body).digest("hex")
  const headers = {
    "content-type": "application/json",
    "x-github-event": "push",
    "x-github-delivery": event,
    "x-hub-signature-256": `sha256=${signature}`,
  }
  return fetch(url, { method: "POST", headers, body: typeof body === "string" ? body : Buffer.from(body) })
}
