import { generateKeyPairSync, sign, X509Certificate } from "node:crypto"

/** A key and a certificate of it, as an identity provider has them. */
export interface SelfSigned {
  /** PEM. */
  readonly privateKey: string
  /** PEM. */
  readonly certificate: string
}

/** Makes a key of RSA and a certificate of X.509 that it signed itself, good from yesterday for ten years. */
export function selfSigned(commonName: string): SelfSigned {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
  const name = sequence(set(sequence(objectId(COMMON_NAME), utf8(commonName))))
  const algorithm = sequence(objectId(SHA256_WITH_RSA), tagged(0x05, Buffer.alloc(0)))
  const body = sequence(
    tagged(0x02, Buffer.from([1])),
    algorithm,
    name,
    sequence(time(-DAY_MS), time(3650 * DAY_MS)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
  )
  const signature = tagged(0x03, Buffer.concat([Buffer.from([0]), sign("sha256", body, privateKey)]))
  const certificate = new X509Certificate(sequence(body, algorithm, signature)).toString()
  return { privateKey: privateKey.export({ type: "pkcs1", format: "pem" }).toString(), certificate }
}

const DAY_MS = 86_400_000
const COMMON_NAME = "550403"
const SHA256_WITH_RSA = "2a864886f70d01010b"

function tagged(tag: number, content: Buffer): Buffer {
  const { length } = content
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(parts))
}

function set(part: Buffer): Buffer {
  return tagged(0x31, part)
}

function objectId(hex: string): Buffer {
  return tagged(0x06, Buffer.from(hex, "hex"))
}

function utf8(text: string): Buffer {
  return tagged(0x0c, Buffer.from(text))
}

/** Some time from now, with two digits of the year. */
function time(fromNowMs: number): Buffer {
  const digits = new Date(Date.now() + fromNowMs).toISOString().replaceAll(/\D/g, "")
  return tagged(0x17, Buffer.from(`${digits.slice(2, 14)}Z`))
}
