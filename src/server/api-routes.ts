import { auditRoutes } from "./audit-routes.ts"
import { credentialRoutes } from "./credential-routes.ts"
import { keyRoutes } from "./key-routes.ts"
import { memberRoutes } from "./member-routes.ts"
import { operationRoutes } from "./operation-routes.ts"
import type { Route } from "./route.ts"
import { signalRoutes } from "./signal-routes.ts"
import { tenantRoutes } from "./tenant-routes.ts"

/** Every route under `/v1` behind `authenticate`. What is not here is not served. */
export const apiRoutes: readonly Route[] = [
  ...signalRoutes,
  ...memberRoutes,
  ...keyRoutes,
  ...credentialRoutes,
  ...auditRoutes,
  ...tenantRoutes,
  ...operationRoutes,
]
