import type { Database } from "../../store/database.ts"
import { hideSessionToken } from "../../store/sign-in-sessions.ts"
import { ADDRESS_HEADER, ENGINE_PATH, type EngineDeps, engineOptions } from "./engine-options.ts"
import { loadPeers, type SignInPeers } from "./load-peers.ts"
import { type Person, personOf } from "./person.ts"
import { hashOfToken, newSessionToken } from "./session-token.ts"

/** Names a way in by password. */
const PASSWORD = "credential"

/** What a session notes of its caller. */
export interface Caller {
  readonly address: string | undefined
  readonly userAgent: string | null
}

/** What sign-in does by better-auth, and nothing else of it. */
export interface SignInEngine {
  /** Opens a session. Undefined when email and password do not belong together. */
  readonly signIn: (caller: Caller, email: string, password: string) => Promise<OpenedSession | undefined>
  /** Opens a session for somebody who was identified in another way. */
  readonly openSession: (caller: Caller, person: Person) => Promise<OpenedSession>
  /** Takes over a session that a provider's flow opened, by the token that it wrote. Undefined: there is none. */
  readonly adopt: (token: string) => Promise<OpenedSession | undefined>
  readonly find: (email: string) => Promise<Person | undefined>
  readonly findById: (id: string) => Promise<Person | undefined>
  /** Makes somebody who signs in with a password. Their address must have been shown to be theirs. */
  readonly create: (person: Omit<Person, "id">, password: string) => Promise<Person>
  /** Sends a mail to set a password, when there is somebody to send it to. */
  readonly requestReset: (email: string) => Promise<void>
  /** Sets a password by the token of a mail and ends all sessions. False: the token was used, has ended or never was. */
  readonly reset: (token: string, password: string) => Promise<boolean>
  /** False: it is wrong, or there is none. */
  readonly checkPassword: (personId: string, password: string) => Promise<boolean>
  readonly setPassword: (personId: string, password: string) => Promise<void>
  /** Where to send a browser that signs in by a provider, and the cookies to set. */
  readonly startProvider: (provider: string, to: string) => Promise<ProviderStart>
  /** Answers an address of a provider's flow. */
  readonly handle: (caller: Caller, request: Request, body: string | undefined) => Promise<Response>
}

/** A session that was just opened. The token is a secret of its browser. */
export interface OpenedSession {
  readonly token: string
  readonly person: Person
}

/** A sign-in that goes on at a provider. */
export interface ProviderStart {
  readonly url: string
  readonly cookies: readonly string[]
}

/** @throws FleetPromptError `peer_missing` */
export async function openEngine(deps: EngineDeps): Promise<SignInEngine> {
  const auth = makeAuth(deps, await loadPeers(deps.settings.providers.length > 0))
  const context = await auth.$context
  return {
    ...accountsOf(context),
    ...mailFlows(auth),
    ...providerFlows(auth, deps.settings.origin),
    ...doors(auth, context, deps.database),
  }
}

function makeAuth(deps: EngineDeps, peers: SignInPeers) {
  return peers.betterAuth(engineOptions(deps, peers))
}

type BetterAuth = ReturnType<typeof makeAuth>
type AuthContext = Awaited<BetterAuth["$context"]>

function doors(
  auth: BetterAuth,
  { internalAdapter }: AuthContext,
  database: Database,
): Pick<SignInEngine, "signIn" | "openSession" | "adopt"> {
  return {
    signIn: async (caller, email, password) => {
      try {
        const { token, user } = await auth.api.signInEmail({ body: { email, password }, headers: headersOf(caller) })
        return { token: await ownToken(database, token), person: personOf(user) }
      } catch (error) {
        if (isRefusal(error)) return undefined
        throw error
      }
    },
    openSession: async ({ address, userAgent }, person) => {
      const noted = { ipAddress: address ?? "", userAgent: userAgent ?? "" }
      const { token } = await internalAdapter.createSession(person.id, false, noted)
      return { token: await ownToken(database, token), person }
    },
    adopt: async (written) => {
      const token = newSessionToken()
      const personId = await hideSessionToken(database, written, hashOfToken(token))
      const found = personId === undefined ? undefined : await internalAdapter.findUserById(personId)
      return found ? { token, person: personOf(found) } : undefined
    },
  }
}

/**
 * better-auth keeps a session's token as it is. So each session gets one of ours as soon as it is opened, of which the
 * database has the hash alone; the one before opens nothing, since what a browser shows is hashed before it is looked for.
 */
async function ownToken(database: Database, written: string): Promise<string> {
  const token = newSessionToken()
  await hideSessionToken(database, written, hashOfToken(token))
  return token
}

function accountsOf({
  internalAdapter,
  password: passwords,
}: AuthContext): Pick<SignInEngine, "find" | "findById" | "create" | "checkPassword" | "setPassword"> {
  const passwordOf = async (personId: string): Promise<string | undefined> => {
    const accounts = await internalAdapter.findAccounts(personId)
    return accounts.find(({ providerId }) => providerId === PASSWORD)?.password ?? undefined
  }
  const linkPassword = (personId: string, hash: string): Promise<unknown> =>
    internalAdapter.linkAccount({ userId: personId, providerId: PASSWORD, accountId: personId, password: hash })
  return {
    find: async (email) => {
      const found = await internalAdapter.findUserByEmail(email.toLowerCase())
      return found ? personOf(found.user) : undefined
    },
    findById: async (id) => {
      const found = await internalAdapter.findUserById(id)
      return found ? personOf(found) : undefined
    },
    create: async ({ email, name }, password) => {
      const hash = await passwords.hash(password)
      const fields = { email: email.toLowerCase(), name, emailVerified: true }
      const user = await internalAdapter.createUser(fields, { method: "email-password" })
      await linkPassword(user.id, hash)
      return personOf(user)
    },
    checkPassword: async (personId, password) => {
      const hash = await passwordOf(personId)
      return hash !== undefined && passwords.verify({ hash, password })
    },
    setPassword: async (personId, password) => {
      const hash = await passwords.hash(password)
      if ((await passwordOf(personId)) === undefined) await linkPassword(personId, hash)
      else await internalAdapter.updatePassword(personId, hash)
    },
  }
}

function mailFlows(auth: BetterAuth): Pick<SignInEngine, "requestReset" | "reset"> {
  return {
    requestReset: async (email) => void (await auth.api.requestPasswordReset({ body: { email } })),
    reset: async (token, newPassword) => {
      try {
        await auth.api.resetPassword({ body: { token, newPassword } })
        return true
      } catch (error) {
        if (isRefusal(error)) return false
        throw error
      }
    },
  }
}

function providerFlows(auth: BetterAuth, origin: string): Pick<SignInEngine, "startProvider" | "handle"> {
  return {
    startProvider: async (provider, to) => {
      const wanted = { providerId: provider, callbackURL: `${origin}${to}`, errorCallbackURL: `${origin}/auth/sign-in` }
      const headers = { "content-type": "application/json", origin }
      const request = { method: "POST", headers, body: JSON.stringify(wanted) }
      const response = await auth.handler(new Request(`${origin}${ENGINE_PATH}/sign-in/sso`, request))
      const answer = (await response.json()) as { readonly url?: string; readonly message?: string }
      if (response.ok && answer.url !== undefined) return { url: answer.url, cookies: response.headers.getSetCookie() }
      throw new Error(`sign-in by the provider ${provider} could not begin: ${answer.message ?? response.status}`)
    },
    handle: (caller, request, body) => auth.handler(forwarded(request, caller, body)),
  }
}

/** Passes on what the flow needs of a request; our own header is ours alone. */
function forwarded({ url, method, headers }: Request, caller: Caller, body: string | undefined): Request {
  const passed = headersOf(caller)
  for (const name of ["cookie", "content-type"]) {
    const value = headers.get(name)
    if (value !== null) passed.set(name, value)
  }
  return new Request(url, { method, headers: passed, ...(body !== undefined && { body }) })
}

function headersOf({ address, userAgent }: Caller): Headers {
  const headers = new Headers()
  if (address !== undefined) headers.set(ADDRESS_HEADER, address)
  if (userAgent !== null) headers.set("user-agent", userAgent)
  return headers
}

/** An error that better-auth answers a caller with, and no fault of the server. */
function isRefusal(error: unknown): boolean {
  return error instanceof Error && "statusCode" in error && Number(error.statusCode) < 500
}
