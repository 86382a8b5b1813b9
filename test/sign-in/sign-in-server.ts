import { onTestFinished } from "vitest"
import { firstOf } from "../../src/access/authenticate.ts"
import type { Fleet } from "../../src/fleet.ts"
import { createFetchHandler } from "../../src/server/fetch-handler.ts"
import { type RunningServer, serve } from "../../src/server/serve.ts"
import type { Mail } from "../../src/server/sign-in/mail.ts"
import type { SignInOptions } from "../../src/server/sign-in/options.ts"
import { createSignIn, type SignIn } from "../../src/server/sign-in/sign-in.ts"
import type { Database } from "../../src/store/database.ts"
import { testFleet } from "../support/test-fleet.ts"
import { Visitor } from "./visitor.ts"

export const SECRET = "a test's secret, of more than 32 characters"

/** A server with sign-in, on a real port. */
export interface SignInServer {
  readonly fleet: Fleet
  readonly signIn: SignIn
  readonly url: string
  /** Mails in the order they were sent. */
  readonly mails: readonly Mail[]
  /** What went wrong that no caller was told. */
  readonly faults: readonly unknown[]
  /** A browser without cookies. */
  readonly visitor: () => Visitor
}

let servers = 0

/** Starts one; it ends with the test. */
export async function signInServer(
  database: Database,
  options: Partial<SignInOptions> | ((url: string) => Promise<Partial<SignInOptions>>) = {},
  pageDirectory?: URL,
): Promise<SignInServer> {
  const { fleet } = await testFleet(database)
  // Limits go by address, and the tests of a file share a database.
  const address = `10.0.${servers >> 8}.${servers & 255}`
  servers += 1
  const mails: Mail[] = []
  const faults: unknown[] = []
  // The port is known when it listens, and the address must be known before.
  let handler: ReturnType<typeof createFetchHandler> | undefined
  const server: RunningServer = await serve(
    {
      fetch: (request, connection) => handler?.fetch(request, connection) ?? new Response(null, { status: 503 }),
      close: () => handler?.close(),
    },
    { port: 0 },
  )
  onTestFinished(() => server.close())
  const signIn = await createSignIn(fleet, {
    publicUrl: server.url,
    secret: SECRET,
    addressOf: () => address,
    sendMail: (mail) => void mails.push(mail),
    onError: (error) => faults.push(error),
    ...(typeof options === "function" ? await options(server.url) : options),
  })
  handler = createFetchHandler(fleet, {
    signIn,
    authenticate: firstOf(signIn.authenticate),
    ...(pageDirectory && { pageDirectory }),
    onError: (error) => faults.push(error),
  })
  return { fleet, signIn, url: server.url, mails, faults, visitor: () => new Visitor(server.url) }
}
