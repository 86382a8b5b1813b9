import type { PackageManifest } from "../../src/packages/manifest.ts"

/** A small manifest that is good, changed as a test asks. */
export function sampleManifest(changes: Partial<PackageManifest> = {}): PackageManifest {
  return {
    slug: "hot-leads",
    name: "Hot leads",
    version: "1.0.0",
    description: "Tells the sales team of leads with a high score.",
    category: "sales",
    publisher: "acme",
    license: "MIT",
    ...changes,
  }
}

/** One that has something of everything. */
export function fullManifest(changes: Partial<PackageManifest> = {}): PackageManifest {
  return sampleManifest({
    homepage: "https://example.com/hot-leads",
    keywords: ["leads", "sales"],
    config: {
      type: "object",
      required: ["channel"],
      additionalProperties: false,
      properties: {
        channel: { type: "string", pattern: "^#[a-z]+(-[a-z]+)*$" },
        minScore: { type: "integer", minimum: 0, maximum: 100, default: 90 },
        greeting: {
          type: "object",
          default: {},
          properties: { text: { type: "string", default: "hello" }, token: { type: "string", "x-secret": true } },
        },
        syncedAt: { type: "string", format: "date-time", "x-volatile": true },
      },
    },
    credentials: [
      { name: "chat", provider: "slack", kind: "oauth2", why: "To write into the channel.", scopes: ["write"] },
    ],
    agents: [{ name: "qualifier", uses: "agent.react", with: { tone: "for ${config.channel}" } }],
    workflows: [{ name: "follow-up" }],
    skills: [{ name: "scoring", description: "How leads are scored." }],
    sensors: [{ name: "inbox", with: { every: 60 } }],
    schedules: [{ name: "digest", cron: "0 7 * * MON-FRI", timeZone: "Europe/Berlin", emit: { type: "digest.due" } }],
    handlers: [
      {
        name: "tell",
        uses: "chat.notify",
        on: "lead.qualified",
        where: {
          all: [
            { path: "data.score", op: "gte", value: "${config.minScore}" },
            { path: "data.email", op: "exists" },
          ],
        },
        with: { channel: "${config.channel}", text: "A lead for ${config.channel}" },
        credentials: ["chat"],
      },
    ],
    actions: [{ name: "score", uses: "leads.score", params: { type: "object" }, result: true }],
    signals: {
      emitted: [{ type: "lead.told", version: 1, schema: { type: "object", properties: { id: { type: "string" } } } }],
      consumed: [{ type: "lead.qualified", version: 1 }],
    },
    directives: ["package.disable"],
    dependencies: { "slack-notify": "^1.2.0" },
    platform: ">=0.1.0",
    ...changes,
  })
}
