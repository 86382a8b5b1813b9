import type { Template } from "fleetprompt"
import { githubApi } from "./connectors/github-api.ts"
import { mlsApi } from "./connectors/mls-api.ts"
import { propertyApi, type PropertySource } from "./connectors/property-api.ts"
import { slackApi } from "./connectors/slack-api.ts"
import { githubTemplates } from "./github-triage/templates.ts"
import { qualifyLead, scoreLeadAction } from "./lead-qualification/templates.ts"
import { mlsTemplates } from "./mls-enrichment/templates.ts"
import { notificationTemplates } from "./notification/templates.ts"
import { propertyTemplates } from "./property-research/templates.ts"

/** Where the systems outside are. The platform says so, never a tenant, so that no tenant has it call what it must not. */
export interface ExampleSystems {
  /** Default: GitHub's own. */
  readonly github?: string
  /** Default: Slack's own. */
  readonly slack?: string
  readonly mls: string
  readonly property: Readonly<Record<PropertySource, string>>
}

/**
 * The code that the example packages refer to.
 *
 * @example
 * createFleet({ templates: exampleTemplates(systems) })
 */
export function exampleTemplates({ github, slack, mls, property }: ExampleSystems): readonly Template[] {
  return [
    ...githubTemplates(githubApi(github)),
    qualifyLead,
    scoreLeadAction,
    ...mlsTemplates(mlsApi(mls)),
    ...propertyTemplates(propertyApi(property)),
    ...notificationTemplates(slackApi(slack)),
  ]
}
