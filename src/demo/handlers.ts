import type { Handler } from "../delivery/handler-definition.ts"
import { activityHandlers } from "./activity.ts"
import { ciHandlers } from "./ci.ts"
import { communityHandlers } from "./community.ts"
import { releaseHandlers } from "./release.ts"
import { reviewHandlers } from "./review.ts"
import { runHandlers } from "./runs.ts"
import { securityHandlers } from "./security.ts"
import { triageHandlers } from "./triage.ts"

/**
 * What the demo does with GitHub's events. Each handler works on what the payload says and nothing
 * else, so the same event always leads to the same signals.
 *
 * @example
 * createFleet({ handlers: demoHandlers, webhooks: [githubWebhook({ tenant: "demo", secret })] })
 */
export const demoHandlers: readonly Handler[] = Object.freeze([
  ...activityHandlers,
  ...triageHandlers,
  ...ciHandlers,
  ...runHandlers,
  ...reviewHandlers,
  ...securityHandlers,
  ...releaseHandlers,
  ...communityHandlers,
])
