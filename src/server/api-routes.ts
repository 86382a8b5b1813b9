import { auditRoutes } from "./audit-routes.ts"
import { credentialRoutes } from "./credential-routes.ts"
import { deliveryRoutes } from "./delivery-routes.ts"
import { directiveRoutes } from "./directive-routes.ts"
import { emitRoutes } from "./emit-routes.ts"
import { installationRoutes } from "./installation-routes.ts"
import { keyRoutes } from "./key-routes.ts"
import { memberRoutes } from "./member-routes.ts"
import { operationRoutes } from "./operation-routes.ts"
import { packageRoutes } from "./package-routes.ts"
import { replayRoutes } from "./replay-routes.ts"
import type { Route } from "./route.ts"
import { scheduleRoutes } from "./schedule-routes.ts"
import { signalRoutes } from "./signal-routes.ts"
import { tenantRoutes } from "./tenant-routes.ts"

/** Every route under `/v1` behind `authenticate`. What is not here is not served, not documented and not in the client. */
export const apiRoutes: readonly Route[] = [
  ...emitRoutes,
  ...signalRoutes,
  ...deliveryRoutes,
  ...replayRoutes,
  ...directiveRoutes,
  ...packageRoutes,
  ...installationRoutes,
  ...memberRoutes,
  ...keyRoutes,
  ...credentialRoutes,
  ...auditRoutes,
  ...tenantRoutes,
  ...operationRoutes,
  ...scheduleRoutes,
]
