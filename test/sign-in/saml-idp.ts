import { randomUUID } from "node:crypto"
import { inflateRawSync } from "node:zlib"
import { SamlLib } from "samlify"
import { type SelfSigned, selfSigned } from "./self-signed.ts"

/** What an assertion says. */
export interface AssertionFields {
  readonly nameId: string
  readonly email: string
  readonly audience: string
  readonly recipient: string
  /** The id of the request that it answers; undefined: of none. */
  readonly inResponseTo: string | undefined
  /** From when until when it holds, milliseconds from now. */
  readonly notBeforeMs: number
  readonly notOnOrAfterMs: number
}

/** How a response is signed. */
export interface Signing {
  readonly key: SelfSigned
  /** The assertion, as we ask for; the response around it; or nothing. */
  readonly what: "assertion" | "response" | "nothing"
  readonly algorithm: string
}

const NAMESPACES = `xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"`
export const RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
export const RSA_SHA1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"

/** A SAML identity provider that answers as the test says, right or wrong. */
export class SamlIdp {
  readonly entityId: string
  readonly entryPoint: string
  readonly key: SelfSigned

  constructor(name: string) {
    this.entityId = `https://${name}.example/metadata`
    this.entryPoint = `https://${name}.example/sso`
    this.key = selfSigned(name)
  }

  /** What we asked: the id of the request in the address that a browser was sent to. */
  requestIn(location: string): { readonly id: string; readonly relayState: string } {
    const { searchParams } = new URL(location)
    const xml = inflateRawSync(Buffer.from(searchParams.get("SAMLRequest") ?? "", "base64")).toString("utf8")
    return { id: /\bID="([^"]+)"/.exec(xml)?.[1] ?? "", relayState: searchParams.get("RelayState") ?? "" }
  }

  /** A response's XML. */
  response(fields: AssertionFields, signing: Partial<Signing> = {}): string {
    const { key = this.key, what = "assertion", algorithm = RSA_SHA256 } = signing
    const xml = this.#envelope(fields, this.assertion(fields))
    if (what === "nothing") return xml
    return signed(xml, what === "assertion" ? "Assertion" : "Response", key, algorithm)
  }

  /** An assertion that nobody signed. */
  assertion({
    nameId,
    email,
    audience,
    recipient,
    inResponseTo,
    notBeforeMs,
    notOnOrAfterMs,
  }: AssertionFields): string {
    const answers = inResponseTo === undefined ? "" : ` InResponseTo="${inResponseTo}"`
    return (
      `<saml:Assertion ${NAMESPACES} ID="_${randomUUID()}" Version="2.0" IssueInstant="${instant(0)}">` +
      `<saml:Issuer>${this.entityId}</saml:Issuer>` +
      `<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">${nameId}</saml:NameID>` +
      `<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">` +
      `<saml:SubjectConfirmationData NotOnOrAfter="${instant(notOnOrAfterMs)}" Recipient="${recipient}"${answers}/>` +
      `</saml:SubjectConfirmation></saml:Subject>` +
      `<saml:Conditions NotBefore="${instant(notBeforeMs)}" NotOnOrAfter="${instant(notOnOrAfterMs)}">` +
      `<saml:AudienceRestriction><saml:Audience>${audience}</saml:Audience></saml:AudienceRestriction></saml:Conditions>` +
      `<saml:AuthnStatement AuthnInstant="${instant(0)}"><saml:AuthnContext>` +
      `<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef>` +
      `</saml:AuthnContext></saml:AuthnStatement>` +
      `<saml:AttributeStatement>${attribute("email", email)}${attribute("displayName", "Somebody")}</saml:AttributeStatement>` +
      `</saml:Assertion>`
    )
  }

  #envelope({ recipient, inResponseTo }: AssertionFields, assertion: string): string {
    const answers = inResponseTo === undefined ? "" : ` InResponseTo="${inResponseTo}"`
    return (
      `<samlp:Response ${NAMESPACES} ID="_${randomUUID()}" Version="2.0" IssueInstant="${instant(0)}" ` +
      `Destination="${recipient}"${answers}><saml:Issuer>${this.entityId}</saml:Issuer>` +
      `<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>` +
      `${assertion}</samlp:Response>`
    )
  }
}

function signed(xml: string, element: string, { privateKey, certificate }: SelfSigned, algorithm: string): string {
  const path = `//*[local-name(.)='${element}']`
  return SamlLib.constructSAMLSignature({
    rawSamlMessage: xml,
    referenceTagXPath: path,
    privateKey,
    privateKeyPass: "",
    signatureAlgorithm: algorithm,
    signingCert: certificate.replaceAll(/-----[A-Z ]+-----|\s/g, ""),
    isBase64Output: false,
    isMessageSigned: false,
    signatureConfig: {
      prefix: "ds",
      location: { reference: `${path}/*[local-name(.)='Issuer']`, action: "after" },
    },
  })
}

function attribute(name: string, value: string): string {
  return `<saml:Attribute Name="${name}"><saml:AttributeValue>${value}</saml:AttributeValue></saml:Attribute>`
}

function instant(fromNowMs: number): string {
  return new Date(Date.now() + fromNowMs).toISOString()
}
