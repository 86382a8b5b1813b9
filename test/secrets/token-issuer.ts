import { exportJWK, generateKeyPair, SignJWT } from "jose"
import type { Authenticate } from "../../src/access/authenticate.ts"
import { jwtAuthenticator } from "../../src/access/jwt.ts"

const ISSUER = "https://login.example.com/"

/** A token of an issuer for an admin of a tenant, and what believes that issuer. */
export async function issuedToken(
  tenant: string,
): Promise<{ readonly token: string; readonly authenticate: Authenticate }> {
  const { publicKey, privateKey } = await generateKeyPair("RS256", { extractable: true })
  const jwk = { ...(await exportJWK(publicKey)), kid: "one", alg: "RS256" }
  const jwt = new SignJWT({ tenant, role: "admin" })
    .setProtectedHeader({ alg: "RS256", kid: "one" })
    .setIssuer(ISSUER)
    .setAudience("fleetprompt")
    .setSubject("mia")
    .setIssuedAt()
    .setExpirationTime("5m")
  const options = { issuer: ISSUER, audience: "fleetprompt", keys: { keys: [jwk] } }
  return { token: await jwt.sign(privateKey), authenticate: jwtAuthenticator(options) }
}
