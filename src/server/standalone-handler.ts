import { apiKeyAuthenticator } from "../access/api-key-authenticator.ts"
import { firstOf } from "../access/authenticate.ts"
import type { Fleet } from "../fleet.ts"
import { prometheusMetrics } from "../telemetry/prometheus.ts"
import { createFetchHandler, type FetchHandler, type FetchHandlerOptions } from "./fetch-handler.ts"
import type { SignIn } from "./sign-in/sign-in.ts"

/** What the standalone server is told besides. */
export interface StandaloneOptions extends Pick<FetchHandlerOptions, "trustedProxies" | "onError" | "pageDirectory"> {
  /** What a scrape of `/metrics` must show as a bearer token. Default: there is no such route. */
  readonly metricsToken?: string | undefined
}

/** Answers for a server that stands alone: people come by sign-in, programs by API keys. */
export function standaloneHandler(
  fleet: Fleet,
  signIn: SignIn,
  { metricsToken, ...options }: StandaloneOptions = {},
): FetchHandler {
  const metrics = metricsToken === undefined ? undefined : prometheusMetrics(fleet, { processMetrics: true })
  const handler = createFetchHandler(fleet, {
    ...options,
    signIn,
    // A key first: it is shown on purpose, and needs no protection against forged requests.
    authenticate: firstOf(apiKeyAuthenticator(fleet), signIn.authenticate),
    ...(signIn.sendInvitation && { sendInvitation: signIn.sendInvitation }),
    ...(metrics && metricsToken !== undefined && { metrics, metricsToken }),
  })
  return {
    fetch: handler.fetch,
    close: () => {
      metrics?.close()
      handler.close()
    },
  }
}
